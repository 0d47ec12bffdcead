package history

import (
	"encoding/json"
	"strconv"
	"time"

	"pithings/flow"
)

// appendEvent appends what json.Marshal makes of a record with an event, in a
// third of the time: a flow of two steps has a dozen events, and a Pi has little
// to spare.
func appendEvent(b []byte, n uint64, e *flow.ExecutionEvent) ([]byte, error) {
	b = append(b, `{"n":`...)
	b = strconv.AppendUint(b, n, 10)
	b = append(b, `,"event":{"messageId":`...)
	b = strconv.AppendInt(b, int64(e.ID), 10)
	b = append(b, `,"eventType":`...)
	b = appendString(b, string(e.Type))
	b = append(b, `,"timestamp":"`...)
	b = e.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","payload":{`...)
	first := true
	key := func(name string) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(append(b, '"'), name...), '"', ':')
	}
	text := func(name, s string) {
		if s != "" {
			key(name)
			b = appendString(b, s)
		}
	}
	p := &e.Payload
	text("step", p.Step)
	if p.Attempt != 0 {
		key("attempt")
		b = strconv.AppendInt(b, int64(p.Attempt), 10)
	}
	text("thing", p.Thing)
	text("service", p.Service)
	text("action", p.Action)
	text("flow", p.Flow)
	for _, v := range []struct {
		name  string
		value any
		none  bool
	}{{"input", p.Input, len(p.Input) == 0}, {"output", p.Output, p.Output == nil}} {
		if v.none {
			continue
		}
		key(v.name)
		var err error
		if b, err = appendValue(b, v.value); err != nil {
			return b, err
		}
	}
	text("error", p.Error)
	text("message", p.Message)
	text("rule", p.Rule)
	text("wait", p.Wait)
	if len(p.Events) > 0 {
		key("events")
		for i, name := range p.Events {
			b = append(b, "[,"[min(i, 1)])
			b = appendString(b, name)
		}
		b = append(b, ']')
	}
	text("trigger", p.Trigger)
	return append(b, "}}}"...), nil
}

// appendValue appends what messages mostly hold itself, and leaves the rest to
// encoding/json.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case map[string]any:
		if len(v) == 1 {
			for name, value := range v {
				b = append(appendString(append(b, '{'), name), ':')
				b, err := appendValue(b, value)
				return append(b, '}'), err
			}
		}
	}
	data, err := json.Marshal(v)
	return append(b, data...), err
}

// appendExecution appends what json.Marshal makes of a record with an execution, as
// its "start" or its "end".
func appendExecution(b []byte, n uint64, name string, x *flow.Execution) []byte {
	b = append(b, `{"n":`...)
	b = strconv.AppendUint(b, n, 10)
	b = append(append(append(b, `,"`...), name...), `":{"id":`...)
	b = appendString(b, x.ID)
	b = appendString(append(b, `,"deployment":`...), x.Deployment)
	if x.Revision != 0 {
		b = strconv.AppendInt(append(b, `,"revision":`...), int64(x.Revision), 10)
	}
	b = appendString(append(b, `,"flow":`...), x.Flow)
	b = appendString(append(b, `,"trigger":`...), x.Trigger)
	if x.Parent != "" {
		b = appendString(append(b, `,"parent":`...), x.Parent)
	}
	b = appendString(append(b, `,"status":`...), string(x.Status))
	b = append(x.Started.AppendFormat(append(b, `,"started":"`...), time.RFC3339Nano), '"')
	if !x.Ended.IsZero() {
		b = append(x.Ended.AppendFormat(append(b, `,"ended":"`...), time.RFC3339Nano), '"')
	}
	if x.Reason != "" {
		b = appendString(append(b, `,"reason":`...), x.Reason)
	}
	return append(b, "}}"...)
}

// appendString appends a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= 0x7f {
			data, _ := json.Marshal(s) // a string cannot fail
			return append(b, data...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
