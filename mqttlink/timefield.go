package mqttlink

import (
	"fmt"
	"strconv"
	"time"

	"pithings/mqttlink/outbox"
)

// TimeField says where in a payload the time stands at which the message was made.
// The link fills it in if the clock was not known then, and changes nothing else.
// The zero value is no field.
type TimeField struct {
	Offset, Length int // bytes; the quotes of a text are part of it
	Format         TimeFormat
}

// TimeFormat is how a time is written. All are valid JSON.
type TimeFormat uint8

// The formats. Their numbers are stored in outboxes on disk.
const (
	UnixSeconds TimeFormat = 1 + iota // 1581417910
	UnixMillis                        // 1581417910123
	TextMillis                        // "2020-02-12T07:30:05.123Z", RFC 3339
	TextMicros                        // "2020-02-12T07:30:05.123456Z", as strftime's %Y-%m-%dT%H:%M:%S.%fZ
)

// Append appends t, in UTC and cut to the format's resolution.
func (f TimeFormat) Append(b []byte, t time.Time) []byte {
	switch f {
	case UnixSeconds:
		return strconv.AppendInt(b, t.Unix(), 10)
	case UnixMillis:
		return strconv.AppendInt(b, t.UnixMilli(), 10)
	case TextMillis:
		return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
	case TextMicros:
		return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000000Z"`)
	}
	return append(b, "null"...) // of a later version
}

// size returns how long a time is in this century and the next; 0 if there is no
// such format.
func (f TimeFormat) size() int {
	switch f {
	case UnixSeconds:
		return len("1581417910")
	case UnixMillis:
		return len("1581417910123")
	case TextMillis:
		return len(`"2006-01-02T15:04:05.000Z"`)
	case TextMicros:
		return len(`"2006-01-02T15:04:05.000000Z"`)
	}
	return 0
}

// grows returns by how much a payload may become longer when the field is filled in.
func (f TimeField) grows() int { return max(0, f.Format.size()-f.Length) }

// Check says why the field cannot be one of payload, or returns nil.
func (f TimeField) Check(payload []byte) error {
	switch {
	case f == TimeField{}:
		return nil
	case f.Offset < 0 || f.Length <= 0 || f.Offset > len(payload) || f.Length > len(payload)-f.Offset:
		return fmt.Errorf("its time is said to be the %d bytes at %d of a payload of %d: give its place", f.Length, f.Offset, len(payload))
	case f.Format.size() == 0:
		return fmt.Errorf("its time has the unknown format %d: use one of UnixSeconds to TextMicros", f.Format)
	}
	return nil
}

// stored returns the field as an outbox keeps it.
func (f TimeField) stored() outbox.TimeField {
	return outbox.TimeField{Offset: uint32(f.Offset), Length: uint32(f.Length), Format: uint8(f.Format)}
}

// fill returns a copy of payload with t in its field, or null if t is not known.
// Of a field that is none of the payload's it returns the payload as it is.
func fill(payload []byte, f outbox.TimeField, t time.Time, known bool) []byte {
	begin, end := uint64(f.Offset), uint64(f.Offset)+uint64(f.Length)
	if end > uint64(len(payload)) {
		return payload
	}
	b := make([]byte, 0, len(payload)+32)
	b = append(b, payload[:begin]...)
	if known {
		b = TimeFormat(f.Format).Append(b, t)
	} else {
		b = append(b, "null"...)
	}
	return append(b, payload[end:]...)
}
