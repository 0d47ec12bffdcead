package rule

import (
	"context"
	"errors"
	"sync"

	"pithings/gateway/script"
)

// coder writes and reads values as Python's json module does: it is the interpreter's own,
// in a script of the host's.
var coder struct {
	once sync.Once
	mu   sync.Mutex
	s    *script.Script
	err  error
}

// coding calls use with the coder.
func coding[T any](use func(s *script.Script) (T, error)) (out T, err error) {
	coder.once.Do(func() {
		program, err := script.Compile("json", "import json\ndef loads(v):\n    return json.loads(v)\n")
		if err == nil {
			coder.s, err = script.New(context.Background(), program, script.Options{})
		}
		coder.err = err
	})
	if coder.err != nil {
		return out, coder.err
	}
	coder.mu.Lock()
	defer coder.mu.Unlock()
	if out, err = use(coder.s); err != nil {
		err = reason(err)
	}
	return out, err
}

// encode returns what json.dumps returns of a value.
func encode(ctx context.Context, v script.Value) ([]byte, error) {
	return coding(func(s *script.Script) ([]byte, error) { return s.Encode(ctx, v) })
}

// decode returns what json.loads returns of a text, with the keys in their order.
func decode(ctx context.Context, text []byte) (script.Value, error) {
	return coding(func(s *script.Script) (script.Value, error) { return s.Call(ctx, "loads", script.Str(text)) })
}

// reason is an exception without its place, which is in the coder.
func reason(err error) error {
	var e *script.Error
	if errors.As(err, &e) && e.Text != "" {
		return errors.New(e.Text)
	}
	return err
}
