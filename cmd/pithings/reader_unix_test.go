//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// A reader that has enough (| head) is nothing to complain of.
func TestReaderThatHasEnough(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	syscall.Close(ends[0])
	out := os.NewFile(uintptr(ends[1]), os.Stdout.Name())
	defer out.Close()
	var said strings.Builder
	if code := execute(t.Context(), []string{"licenses"}, nil, out, &said); code != exitFailure || said.Len() > 0 {
		t.Errorf("exit code %d: %s", code, said.String())
	}
}
