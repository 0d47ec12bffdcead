package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every number and time of every command is refused below zero, before anything is done:
// publish --interval -1s ended in "internal error, please report it", and silence.
func TestNoNumberIsNegative(t *testing.T) {
	tried := 0
	var walk func(c *cobra.Command, path []string)
	walk = func(c *cobra.Command, path []string) {
		for _, sub := range c.Commands() {
			walk(sub, append(slices.Clone(path), sub.Name()))
		}
		if !c.Runnable() {
			return
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			switch f.Value.Type() {
			case "duration", "int", "int64", "uint8", "uint16", "seconds":
			default:
				return
			}
			tried++
			for _, value := range []string{"-1", "-1s", "x"} {
				args := append(slices.Clone(path), "--"+f.Name+"="+value)
				var out, errs bytes.Buffer
				if code := execute(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitUsage || out.Len() > 0 {
					t.Errorf("%s: exit code %d, %s", strings.Join(args, " "), code, errs.String())
				}
			}
		})
	}
	walk(newRoot(), nil)
	if tried < 15 {
		t.Errorf("only %d flags were tried", tried)
	}
}

// A sensor that is read at no interval is a wrong command line, too.
func TestIntervalOfZero(t *testing.T) {
	var out, errs bytes.Buffer
	code := execute(t.Context(), []string{"publish", "-e", "mqtt://127.0.0.1:1", "--mock", "--interval", "0"}, strings.NewReader(""), &out, &errs)
	if code != exitUsage || !strings.Contains(errs.String(), "--interval") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
}
