package cloud

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pithings/awsiot/cloud/internal/defender"
	"pithings/awsiot/cloud/internal/jobs"
	"pithings/mqttlink"
)

// reports serves Device Defender. Its records are defender/THING.
type reports struct{ c *Cloud }

const reportKey = "defender/"

// maxReport is how large a report may be: a payload of AWS IoT Core, in bytes.
const maxReport = 128 << 10

func (s *reports) filters() []string {
	return []string{"$aws/things/+/defender/metrics/json", "$aws/things/+/defender/metrics/cbor"}
}

func (s *reports) answer(levels []string, payload []byte, now time.Time) (result, bool) {
	if len(levels) != 6 || levels[1] != "things" || levels[3] != "defender" || levels[4] != "metrics" {
		return result{}, false
	}
	thing, format := levels[2], levels[5]
	if !jobs.ValidThing(thing) { // AWS knows no such thing
		return result{}, true
	}
	id, err := s.check(thing, format, payload, now)
	respond := func(end string, content map[string]any) []mqttlink.Message {
		content["thingName"], content["reportId"], content["timestamp"] = thing, count(id), count(now.UnixMilli())
		return []mqttlink.Message{message(strings.Join(levels, "/")+end, encodeAs(format, content))}
	}
	refuse := func(e *defender.Error) []mqttlink.Message {
		return respond("/rejected", map[string]any{"status": "REJECTED", "statusDetails": map[string]any{"ErrorCode": e.Code, "ErrorMessage": e.Message}})
	}
	if err != nil {
		s.c.log.Warn("report refused", "thing", thing, "err", err)
		return result{messages: refuse(err)}, true
	}
	s.c.log.Info("report accepted", "thing", thing, "report", id)
	return result{
		messages: respond("/accepted", map[string]any{"status": "ACCEPTED"}),
		failed:   refuse(&defender.Error{Code: defender.Internal, Message: "The report could not be saved"}),
	}, true
}

func (s *reports) check(thing, format string, payload []byte, now time.Time) (id int64, refused *defender.Error) {
	if len(payload) > maxReport {
		return 0, &defender.Error{Code: defender.InvalidPayload, Message: "the report is too large"}
	}
	var last *defender.Last
	if record := s.c.store.Get(reportKey + thing); record != nil {
		if err := json.Unmarshal(record, &last); err != nil {
			s.c.log.Error("last report cannot be read", "thing", thing, "err", err)
		}
	}
	var report any = decodeAs(format, payload)
	id, next, refused := defender.Check(report, last, now)
	if refused != nil {
		return id, refused
	}
	record, err := json.Marshal(next)
	if err == nil {
		err = s.c.store.Put(reportKey+thing, record)
	}
	if err != nil {
		s.c.log.Error("report not saved", "thing", thing, "err", err)
		return id, &defender.Error{Code: defender.Internal, Message: "The report could not be saved"}
	}
	return id, nil
}

func count(n int64) json.Number { return json.Number(fmt.Sprint(n)) }

func (s *reports) due() time.Time                    { return time.Time{} }
func (s *reports) work(time.Time) []mqttlink.Message { return nil }
func (s *reports) reset()                            {}
