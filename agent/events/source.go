package events

import (
	"encoding/json"
	"fmt"
)

// Source is where the events of one kind come from: either Follow or List is set.
type Source struct {
	Kind string // one word
	// Asked sources are for clients only that name their kind.
	Asked bool
	// Follow calls add at each event from now on, until stop. add never waits, and encodes the
	// event before it returns.
	Follow func(add func(event any)) (stop func())
	// List has what there is now, by a key of each. It is called by one goroutine at a time.
	List func() map[string]any
	// Changes, of a List, calls note when it may have changed, until stop; nil: it is looked at
	// once a second only. note never waits.
	Changes func(note func()) (stop func())
}

// Restricted is an event with more for those who may act than for those who may look.
type Restricted struct{ Act, Look any }

// Gone is the event of an item that is no longer in a list.
type Gone struct {
	Key  string `json:"key"`
	Gone bool   `json:"gone"`
}

// source is a Source of a stream. What is not noted otherwise is for the holder of Stream.looking.
type source struct {
	Source
	begun bool
	stop  func()
	seen  map[string]string // of a List: the JSON of each item, by key
	from  uint64            // the ring is whole from this number on; for the holder of Stream.mu
}

// start begins to follow a source; what a list has now clients read by themselves.
func (s *source) start(add func(event any), note func()) {
	s.begun, s.stop = true, func() {}
	if s.Follow != nil {
		s.stop = s.Follow(add)
		return
	}
	if s.Changes != nil {
		s.stop = s.Changes(note)
	}
	s.seen = map[string]string{}
	s.differ()
}

// end forgets what was seen.
func (s *source) end() {
	if s.begun {
		s.stop()
		s.begun, s.stop, s.seen = false, nil, nil
	}
}

// differ returns the events by which a list differs from what was seen of it, which it becomes.
func (s *source) differ() (all [][]byte) {
	now := s.List()
	for key, v := range now {
		data := encode(v)
		if before, known := s.seen[key]; !known || before != string(data) {
			s.seen[key] = string(data)
			all = append(all, data)
		}
	}
	for key := range s.seen {
		if _, still := now[key]; !still {
			delete(s.seen, key)
			all = append(all, encode(Gone{key, true}))
		}
	}
	return all
}

// Long may be implemented by an event that can be long: Short is what matters most of it.
type Long interface{ Short() any }

// maxData bounds the JSON of one event, in bytes. What is longer has to be asked for.
const maxData = 32 << 10

// encode returns an event as JSON without line ends.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	switch {
	case err != nil: // such as a NaN, or a time after the year 9999
		data, _ = json.Marshal(map[string]string{"error": err.Error()})
	case len(data) > maxData:
		if long, ok := v.(Long); ok {
			if data, err = json.Marshal(long.Short()); err == nil && len(data) <= maxData {
				return data
			}
		}
		data = fmt.Appendf(nil, `{"too_large":%d}`, len(data))
	}
	return data
}
