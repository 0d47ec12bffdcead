package rule

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"pithings/gateway/script"
)

// Shared are the global variables of 2.x, which all scripts share until the program ends.
// The zero value has none.
type Shared struct {
	mu sync.Mutex
	by map[string]any
}

// The bounds of what scripts share.
const (
	maxShared      = 200
	maxSharedBytes = 16 << 10 // of one, as JSON
)

func (s *Shared) get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[key]
}

func (s *Shared) all() *Dict {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := new(Dict)
	for _, key := range slices.Sorted(maps.Keys(s.by)) {
		d.add(key, s.by[key])
	}
	return d
}

// set keeps a copy of a value, as JSON has it: scripts must not share what they can change.
func (s *Shared) set(ctx context.Context, key string, v script.Value) error {
	text, err := encode(ctx, v)
	if err != nil {
		return script.Exception("TypeError", err.Error())
	}
	var value any
	if len(text) > maxSharedBytes {
		return script.Exception("ValueError", fmt.Sprintf("a global variable has at most %d bytes as JSON", maxSharedBytes))
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return script.Exception("ValueError", "a global variable is what JSON can hold: "+err.Error())
	}
	if value, err = script.ToGo(v); err != nil {
		return script.Exception("TypeError", err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.by[key]; !there && len(s.by) >= maxShared {
		return script.Exception("ValueError", fmt.Sprintf("there are at most %d global variables", maxShared))
	}
	if s.by == nil {
		s.by = map[string]any{}
	}
	s.by[key] = value
	return nil
}
