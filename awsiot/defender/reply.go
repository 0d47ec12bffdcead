package defender

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pithings/awsiot/internal/cbor"
	"pithings/quietlog"
)

// maxReply bounds an answer, in bytes. AWS's have 200.
const maxReply = 8 << 10

// reply is what AWS says of a report.
type reply struct {
	id       int64 // of the report; 0 if it does not say
	accepted bool
	reason   string
}

// parseReply reads an answer. Its topic says whether the report was accepted.
//
//	{"thingName":"pi","reportId":1530304554,"status":"REJECTED",
//	 "statusDetails":{"ErrorCode":"InvalidPayload","ErrorMessage":"…"},"timestamp":1530304554000}
func parseReply(topic string, payload []byte) (r reply, err error) {
	rest, accepted := strings.CutSuffix(topic, "/accepted")
	if !accepted {
		var rejected bool
		if rest, rejected = strings.CutSuffix(topic, "/rejected"); !rejected {
			return r, fmt.Errorf("%s ends with neither accepted nor rejected", quietlog.Short(topic))
		}
	}
	if len(payload) > maxReply {
		return r, fmt.Errorf("it has %d bytes; at most %d are read", len(payload), maxReply)
	}
	var v any
	if strings.HasSuffix(rest, "/"+CBOR) {
		v, err = cbor.Decode(payload)
	} else {
		d := json.NewDecoder(bytes.NewReader(payload))
		d.UseNumber()
		err = d.Decode(&v)
	}
	if err != nil {
		return r, err
	}
	keys, ok := v.(map[string]any)
	if !ok {
		return r, errors.New("it is no object")
	}
	r.accepted = accepted
	if n, ok := keys["reportId"].(json.Number); ok {
		r.id, _ = n.Int64()
	}
	if !accepted {
		r.reason = "no reason given"
		if details, ok := keys["statusDetails"].(map[string]any); ok {
			code, _ := details["ErrorCode"].(string)
			message, _ := details["ErrorMessage"].(string)
			r.reason = quietlog.OneLine(strings.TrimSpace(code + ": " + message))
		}
	}
	return r, nil
}
