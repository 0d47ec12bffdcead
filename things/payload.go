package things

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"pithings/mqttlink"
)

// object writes a JSON object on one line with its keys in the order given and
// the separators ", " and ": ", as Python's json.dumps does. Programs that
// compare lines, and people who compare them with the tutorials, see the same
// bytes.
type object struct {
	strings.Builder
	field mqttlink.TimeField // of the time, if there is one
}

// newObject goes on with an object that has been written.
func newObject(written []byte) *object {
	o := new(object)
	o.Write(bytes.TrimSuffix(written, []byte("}")))
	return o
}

func (o *object) key(name string) *object {
	if o.Len() == 0 {
		o.WriteByte('{')
	} else {
		o.WriteString(", ")
	}
	o.quote(name)
	o.WriteString(": ")
	return o
}

func (o *object) string(name, v string) *object { o.key(name).quote(v); return o }
func (o *object) bool(name string, v bool) *object {
	o.key(name).WriteString(strconv.FormatBool(v))
	return o
}
func (o *object) int(name string, v int64) *object {
	o.key(name).WriteString(strconv.FormatInt(v, 10))
	return o
}

// number writes a float as Python does: the shortest digits, with ".0" behind a
// whole number. NaN means that there is no value and is written as null.
func (o *object) number(name string, v float64) *object {
	o.key(name)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		o.WriteString("null")
		return o
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	o.WriteString(s)
	return o
}

// time writes when the message was made, and keeps the place: if the clock was not
// known then, the link writes another time there.
func (o *object) time(name string, t time.Time, f mqttlink.TimeFormat) *object {
	o.key(name)
	o.field = mqttlink.TimeField{Offset: o.Len(), Format: f}
	o.Write(f.Append(nil, t))
	o.field.Length = o.Len() - o.field.Offset
	return o
}

func (o *object) bytes() []byte { return []byte(o.String() + "}") }

// quote writes a JSON string in ASCII only (json.dumps with ensure_ascii).
func (o *object) quote(s string) {
	o.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			o.WriteByte('\\')
			o.WriteRune(r)
		case r == '\n':
			o.WriteString(`\n`)
		case r == '\r':
			o.WriteString(`\r`)
		case r == '\t':
			o.WriteString(`\t`)
		case r >= ' ' && r < 0x7f:
			o.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(o, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(o, `\u%04x`, r)
		}
	}
	o.WriteByte('"')
}

// maxPayload bounds what a thing reads of a command or an answer: the payload
// limit of AWS IoT Core, which is far above what these contracts need.
const maxPayload = 128 << 10

// decode reads a received payload, which must be a JSON object. Nothing in it
// can be trusted; the message of an error holds none of its bytes.
func decode(payload []byte, into any) error {
	if len(payload) > maxPayload {
		return fmt.Errorf("payload of %d bytes is longer than %d", len(payload), maxPayload)
	}
	if string(bytes.TrimSpace(payload)) == "null" { // which Unmarshal takes for anything
		return errors.New("payload is a JSON null; a JSON object is wanted")
	}
	if err := json.Unmarshal(payload, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			if wrong.Field == "" {
				return fmt.Errorf("payload is a JSON %s; a JSON object is wanted", wrong.Value)
			}
			return fmt.Errorf("%q is a JSON %s; a %s is wanted", wrong.Field, wrong.Value, wrong.Type)
		}
		return fmt.Errorf("payload is not JSON (%d bytes)", len(payload))
	}
	return nil
}
