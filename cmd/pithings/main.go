// Command pithings turns a Raspberry Pi's parts into things on MQTT.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unknown"

// The exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line and returns its exit code.
func run(args []string) int {
	// An agent lives beside other programs on a board with little memory: collect
	// earlier than Go does by default. Pictures are its only large values.
	collectAt(25)

	// SIGHUP is the end of a terminal. A reader of ours that went away (| head) is
	// told by a failed write instead of a signal that kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	// A second Ctrl-C kills at once, should the first one not be enough.
	context.AfterFunc(ctx, stop)

	started := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(seedFlags(args))
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case !started || errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "pithings: %s\n(%s --help tells more)\n", oneLine(err), commandOf(root, args))
		return exitUsage
	default:
		fmt.Fprintf(os.Stderr, "pithings: %v\n", err)
		return exitFailure
	}
}

// usageError is a wrong command line that only the command itself can tell.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// oneLine joins the lines of a suggestion ("Did you mean this?").
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// commandOf names the command that args mean, for the hint behind an error.
func commandOf(root *cobra.Command, args []string) string {
	c, _, err := root.Find(args)
	if err != nil {
		return root.Name()
	}
	return c.CommandPath()
}

// seedFlags lets "-id", which the publishing script of the BME680 tutorial takes
// for its client id, pass for --clientId: it is no single letter.
func seedFlags(args []string) []string {
	out := append([]string(nil), args...)
	for i, a := range out {
		switch a {
		case "-id":
			out[i] = "--clientId"
		case "--":
			return out
		}
	}
	return out
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "pithings",
		Short: "Turn a Raspberry Pi's parts into things on MQTT",
		Long: `pithings turns a Raspberry Pi's parts (a motion sensor, a BME680, a camera, a
screen) into things on MQTT and lets them act together. Try it on any computer:

  pithings run --mock`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddGroup(
		&cobra.Group{ID: "agent", Title: "The agent:"},
		&cobra.Group{ID: "single", Title: "One thing, as the Things Graph and BME680 examples start it:"},
		&cobra.Group{ID: "parts", Title: "Try a part:"},
		&cobra.Group{ID: "help", Title: "Look and learn:"},
	)
	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{"agent", []*cobra.Command{newRun(), newFlow(), newPub(), newQueue(), newConfig()}},
		{"single", []*cobra.Command{newMotion(), newCamera(), newScreen(), newPublish()}},
		{"parts", []*cobra.Command{newDoctor(), newRead(), newCapture(), newShow()}},
		{"help", []*cobra.Command{newWatch(), newVersion()}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("help")
	root.SetCompletionCommandGroupID("help")
	return root
}
