package script

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// A script that names no built-in function has the methods of the types, also if it is the
// first of its process.
func TestFirstOfItsProcess(t *testing.T) {
	const alone = "SCRIPT_TEST_ALONE"
	if os.Getenv(alone) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestFirstOfItsProcess$")
		c.Env = append(os.Environ(), alone+"=1")
		out, err := c.CombinedOutput()
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("NOT RUN: the emulated processor cannot start another emulated program")
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	p, err := Compile("rule", "def f(d):\n    for k, v in d.items():\n        return k.upper()\n")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(context.Background(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := NewDict()
	d.SetStr("a", Int(1))
	if v, err := s.Call(context.Background(), "f", d); err != nil || v != Str("A") {
		t.Errorf("%v, %v", v, err)
	}
}
