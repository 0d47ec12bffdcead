package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/gateway/rule"
	"pithings/mqttlink/durable"
)

func newScript() *cobra.Command {
	c := &cobra.Command{
		Use:   "script",
		Short: "Check and try the gateway's scripts",
		Long: `script works with the Python scripts of the gateway's rules (docs/gateway.md,
docs/scripts.md), without a gateway.`,
		Example: `  pithings script check upload.py
  pithings script run upload.py --data data.json
  pithings script test upload.py --data data.json --expect expected.txt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("say check, run or test") },
	}
	c.AddCommand(newScriptCheck(), newScriptRun(), newScriptTest())
	return c
}

func newScriptCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with scripts, and what to write instead",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var wrong []error
			for _, file := range args {
				if err := (&rule.Script{File: file}).Check(filepath.Base(file)); err != nil {
					wrong = append(wrong, fmt.Errorf("%s: %w", file, err))
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: right\n", file)
			}
			return errors.Join(wrong...)
		},
	}
}

// trialFlags are those of what runs a script.
type trialFlags struct {
	data, function, api, topic string
	params                     map[string]string
}

func (t *trialFlags) add(f *pflag.FlagSet) {
	f.StringVar(&t.data, "data", "", "file with what the main function gets, as JSON: data_collect, or {\"topic\": …, \"payload\": …}; -: standard input")
	f.StringVar(&t.function, "function", "", "the main function; by default the only one, or main")
	f.StringVar(&t.api, "api", "auto", "version of Device Supervisor that the script is for: auto, 1 or 2")
	f.StringVar(&t.topic, "topic", "topic", "what __topic__ is")
	f.StringToStringVar(&t.params, "param", nil, "a global parameter, as NAME=VALUE")
}

// run runs the script of a file, and writes what it does.
func (t *trialFlags) run(ctx context.Context, file string, stdin io.Reader, out io.Writer) error {
	if t.data == "" {
		return usagef("name a file with --data; write {} into it for a script that needs no data")
	}
	if t.api != "auto" && t.api != "1" && t.api != "2" {
		return usagef("--api %s: say auto, 1 or 2", t.api)
	}
	data, err := readInput(t.data, stdin)
	if err != nil {
		return err
	}
	s := rule.Script{File: file, Function: t.function, API: t.api}
	if s.Function == "" {
		if s.Function, err = s.Only(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	trial := rule.Trial{Script: s, Name: filepath.Base(file), Data: data, Topic: t.topic, Out: out, Params: rule.Params{LogLevel: "info", Custom: t.params}}
	if err := trial.Run(ctx); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// maxTrialData bounds the data of a trial, in bytes.
const maxTrialData = 16 << 20

// readInput reads a file, or standard input for "-".
func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name != "-" {
		return durable.ReadFile(name, maxTrialData)
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxTrialData+1))
	if err == nil && len(data) > maxTrialData {
		err = fmt.Errorf("standard input is longer than %d MiB", maxTrialData>>20)
	}
	return data, err
}

func newScriptRun() *cobra.Command {
	var t trialFlags
	c := &cobra.Command{
		Use:   "run FILE --data FILE",
		Short: "Run a script once, and show what it does",
		Long: `run calls the main function of a script with the data of a file. It prints what the
script logs as LEVEL TEXT, what it publishes as TOPIC PAYLOAD, what it writes to
variables as write DEVICE.VARIABLE VALUE, and what the main function returns as
JSON. Nothing is published or written, and http_get and http_post are not there.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.run(c.Context(), args[0], c.InOrStdin(), c.OutOrStdout())
		},
	}
	t.add(c.Flags())
	return c
}

func newScriptTest() *cobra.Command {
	var t trialFlags
	var expect string
	c := &cobra.Command{
		Use:   "test FILE --data FILE --expect FILE",
		Short: "Compare what a script does with what is expected",
		Long: `test runs a script as run does, and compares what that prints with a file. A
difference is shown with its line, and the exit code is 1.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if expect == "" {
				return usagef("name a file with --expect; make one with: pithings script run %s --data %s > FILE", args[0], t.data)
			}
			want, err := durable.ReadFile(expect, maxTrialData)
			if err != nil {
				return err
			}
			var got bytes.Buffer
			if err := t.run(c.Context(), args[0], c.InOrStdin(), &got); err != nil {
				return err
			}
			if err := compare(got.String(), string(want)); err != nil {
				return fmt.Errorf("%s: not as in %s: %w", args[0], expect, err)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: as expected\n", args[0])
			return nil
		},
	}
	t.add(c.Flags())
	c.Flags().StringVar(&expect, "expect", "", "file with what run prints")
	return c
}

// compare returns the first line that differs.
func compare(got, want string) error {
	a, b := strings.Split(strings.TrimRight(got, "\r\n"), "\n"), strings.Split(strings.TrimRight(want, "\r\n"), "\n")
	for i := range max(len(a), len(b)) {
		line := func(all []string) string {
			if i < len(all) {
				return strings.TrimSuffix(all[i], "\r")
			}
			return "(the end)"
		}
		if line(a) != line(b) {
			return fmt.Errorf("line %d:\n  got  %s\n  want %s", i+1, line(a), line(b))
		}
	}
	return nil
}
