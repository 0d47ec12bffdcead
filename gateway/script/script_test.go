package script

import (
	"context"
	"testing"
)

func TestCall(t *testing.T) {
	p, err := Compile("rule", "n = 0\ndef f(x, y=2):\n    global n\n    n += 1\n    return [x * y, n, {'a': x}]\n")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(context.Background(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Call(context.Background(), "f", Int(21))
	if err != nil {
		t.Fatal(err)
	}
	got := v.(*List)
	if got.Items[0] != Int(42) || got.Items[1] != Int(1) || got.Items[2].(*Dict).GetStr("a") != Int(21) {
		t.Errorf("got %v", got.Items)
	}
}
