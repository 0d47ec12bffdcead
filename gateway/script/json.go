package script

import (
	"context"
	"errors"
	"fmt"

	"pithings/gateway/script/internal/lib"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// JSON returns what json.dumps(v) with defaults returns in a script. It may run the
// script's code, and is a call of its own under the limits. The error is an *Error, or ErrBusy.
func (s *Script) JSON(ctx context.Context, v Value) (string, error) {
	text, err := s.Encode(ctx, v)
	return string(text), err
}

// Encode is JSON for those who send it.
func (s *Script) Encode(ctx context.Context, v Value) (text []byte, err error) {
	if !s.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	defer s.busy.Store(false)
	err = s.guard(ctx, func() { text = lib.DumpDefault(s.m, v) })
	return text, err
}

// FromJSON returns the value that json.loads returns in a script: objects keep the order of
// their keys, integers any size. The text may take as much as DefaultLimits allow.
func FromJSON(text []byte) (v Value, err error) {
	m := &py.Machine{Limits: py.Limits(DefaultLimits)}
	m.Start(context.Background(), 0)
	defer m.End()
	defer func() {
		if stop, ok := recover().(*py.Stop); ok {
			err = fmt.Errorf("script: JSON of %d bytes: %w", len(text), stop)
		}
	}()
	if r := py.Try(m, func() { v = lib.Parse(m, string(text)) }); r != nil {
		return nil, errors.New("script: JSON: " + ops.ToStr(m, r.Exc))
	}
	return v, nil
}
