package mqttlink

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
)

// field finds the value of a key, as things writes payloads, and names it as the
// time field.
func field(payload, key string, f TimeFormat) TimeField {
	_, rest, ok := strings.Cut(payload, `"`+key+`": `)
	if !ok {
		return TimeField{}
	}
	value := rest[:strings.IndexAny(rest, ",}")]
	return TimeField{Offset: len(payload) - len(rest), Length: len(value), Format: f}
}

func TestFill(t *testing.T) {
	at := time.Date(2020, 2, 12, 8, 30, 5, 123456789, time.FixedZone("x", 3600))
	for _, tt := range []struct {
		name, payload string
		format        TimeFormat
		want          string
	}{
		{"seconds, first", `{"t": 12, "v": 1.0}`, UnixSeconds, `{"t": 1581492605, "v": 1.0}`},
		{"seconds, last", `{"v": 1.0, "t": 12}`, UnixSeconds, `{"v": 1.0, "t": 1581492605}`},
		{"seconds, in place of longer ones", `{"v": "é", "t": -62135596800, "w": "t"}`, UnixSeconds, `{"v": "é", "t": 1581492605, "w": "t"}`},
		{"milliseconds", `{"t": 0}`, UnixMillis, `{"t": 1581492605123}`},
		{"RFC 3339", `{"t": "1970-01-01T00:00:12.000Z"}`, TextMillis, `{"t": "2020-02-12T07:30:05.123Z"}`},
		{"strftime", `{"t": "1970-01-01T00:00:12.000000Z", "x": 1}`, TextMicros, `{"t": "2020-02-12T07:30:05.123456Z", "x": 1}`},
		{"in place of null", `{"t": null}`, TextMicros, `{"t": "2020-02-12T07:30:05.123456Z"}`},
		{"a format of later versions", `{"t": 5}`, 200, `{"t": null}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := field(tt.payload, "t", tt.format)
			before := strings.Clone(tt.payload)
			got := fill([]byte(tt.payload), f.stored(), at, true)
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.format <= TextMicros {
				if err := f.Check([]byte(tt.payload)); err != nil {
					t.Error(err)
				}
				if n := len(tt.payload) + f.grows(); len(got) > n {
					t.Errorf("%d bytes, %d were allowed for", len(got), n)
				}
			}
			if got := fill([]byte(tt.payload), f.stored(), time.Time{}, false); !json.Valid(got) || !bytes.Contains(got, []byte(`"t": null`)) {
				t.Errorf("without a time: %s", got)
			}
			if tt.payload != before {
				t.Error("the payload itself was changed")
			}
		})
	}
}

func TestFieldsThatCannotBe(t *testing.T) {
	l, err := New(options("broker:1883"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []TimeField{
		{0, 0, UnixSeconds}, {-1, 2, UnixSeconds}, {1, -1, UnixSeconds}, {3, 3, UnixSeconds}, {6, 1, UnixSeconds},
		{1, int(^uint(0) >> 1), UnixSeconds}, {1, 2, 0}, {1, 2, TextMicros + 1},
	} {
		if err := l.Publish(t.Context(), Message{Topic: "t", Payload: []byte("[123]"), TimeField: f}); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	// What a payload becomes must be within the limits too.
	o := options("broker:1883")
	o.Limits.MaxPayload = 15
	if l, err = New(o); err != nil {
		t.Fatal(err)
	}
	var limit *LimitError
	for payload, fits := range map[string]bool{`{"t": 1}`: false, `{"t": 1581417910}`: false, `[1581417910, 2]`: true, `[1234567, 345]`: false} {
		m := Message{Topic: "t", Payload: []byte(payload), TimeField: TimeField{1, strings.IndexByte(payload+",", ',') - 1, UnixSeconds}}
		if payload[0] == '{' {
			m.TimeField = field(payload, "t", UnixSeconds)
		}
		if err := l.Publish(t.Context(), m); fits != (err == nil) || !fits && !errors.As(err, &limit) {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add([]byte(`{"t": 12, "v": 1.0}`), uint32(6), uint32(2), uint8(1), int64(1581492605123), true)
	f.Add([]byte(`{"t": "x"}`), uint32(6), uint32(3), uint8(4), int64(0), false)
	f.Add([]byte(``), uint32(1<<31), uint32(1<<31), uint8(9), int64(-1), true)
	f.Fuzz(func(t *testing.T, payload []byte, offset, length uint32, format uint8, ms int64, known bool) {
		before := bytes.Clone(payload)
		of := outbox.TimeField{Offset: offset, Length: length, Format: format}
		got := fill(payload, of, time.UnixMilli(ms), known)
		if !bytes.Equal(payload, before) {
			t.Fatal("the payload itself was changed")
		}
		if uint64(offset)+uint64(length) > uint64(len(payload)) {
			if !bytes.Equal(got, payload) {
				t.Fatal("a field outside was filled in")
			}
			return
		}
		// Nothing but the field is changed, and it becomes one JSON value.
		head, tail := payload[:offset], payload[offset+length:]
		if !bytes.HasPrefix(got, head) || !bytes.HasSuffix(got, tail) || len(got) < len(head)+len(tail) {
			t.Fatalf("%q became %q", payload, got)
		}
		value := got[len(head) : len(got)-len(tail)]
		if !json.Valid(value) {
			t.Fatalf("the time is %q", value)
		}
		if json.Valid(payload) && json.Valid(payload[offset:offset+length]) && isValue(payload, int(offset), int(length)) && !json.Valid(got) {
			t.Fatalf("%q became %q", payload, got)
		}
	})
}

// isValue reports whether a range of a JSON text is a whole value and not the key of an
// object or a part of a longer one: whether another value can stand there.
func isValue(payload []byte, offset, length int) bool {
	for _, other := range []string{"null", "-1.5e3", `"x"`, "[{}]"} {
		b := append(append(bytes.Clone(payload[:offset]), other...), payload[offset+length:]...)
		if !json.Valid(b) {
			return false
		}
	}
	return true
}
