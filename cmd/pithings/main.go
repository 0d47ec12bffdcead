// Command pithings turns a Raspberry Pi's parts into things on MQTT.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	keepPrivate()
	os.Exit(run(os.Args[1:]))
}

// run executes one command line in this process and returns its exit code.
func run(args []string) int {
	// An agent lives beside other programs on a board with little memory: collect
	// earlier than Go does by default. Pictures are its only large values.
	collectAt(25)

	// A reader of ours that went away (| head) is noticed by a failed write instead of a
	// signal that kills.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, release := withHangups(ctx, cancel)
	defer release()
	signal.Ignore(syscall.SIGPIPE)
	// A second Ctrl-C kills at once, should the first one not be enough.
	context.AfterFunc(ctx, stop)
	return within(ctx, endsWithin, os.Stderr, func() int { return execute(ctx, args, os.Stdin, os.Stdout, os.Stderr) })
}

// endsWithin is how long a command may take to end after a signal, below the unit's
// TimeoutStopSec.
const endsWithin = 8 * time.Second

// within runs a command. One that does not end when it is asked to, because it waits for
// a file or a device that does not answer, is left: all that it keeps survives a kill.
func within(ctx context.Context, limit time.Duration, stderr io.Writer, command func() int) int {
	code := make(chan int, 1)
	go func() { code <- command() }()
	select {
	case c := <-code:
		return c
	case <-ctx.Done():
	}
	select {
	case c := <-code:
		return c
	case <-time.After(limit):
		fmt.Fprintf(stderr, "pithings: it did not end within %v of the signal, and was left\n", limit)
		return exitFailure
	}
}

// execute is run without what belongs to the process, so that tests can call it.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	started := false
	root := newRoot()
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		err := noEmptyValues(c.Flags())
		started = err == nil
		return err
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	args, err := readHabits(root, args)
	if err == nil {
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	var usage usageError
	var coded *codeError
	switch {
	case err == nil:
		return exitOK
	case readerGone(err):
		return exitFailure // as quiet as a program that SIGPIPE ends
	case !started || errors.As(err, &usage):
		fmt.Fprintf(stderr, "pithings: %s\n(%s --help shows more)\n", oneLine(err), commandOf(root, args))
		return exitUsage
	case errors.As(err, &coded):
		if !coded.quiet {
			fmt.Fprintf(stderr, "pithings: %s\n", said(err))
		}
		return coded.code
	default:
		fmt.Fprintf(stderr, "pithings: %s\n", said(err))
		return exitFailure
	}
}

// readerGone reports whether the program that reads standard output has ended (| head).
func readerGone(err error) bool {
	var file *fs.PathError
	return errors.Is(err, syscall.EPIPE) && errors.As(err, &file) && file.Path == os.Stdout.Name()
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "pithings",
		Short: "Turn a Raspberry Pi's parts into things on MQTT",
		Long: `pithings turns a Raspberry Pi's parts (a motion sensor, a BME680, a camera, a
screen) into things on MQTT and lets them act together. Try it on any computer:

  pithings run --mock`,
		Version:               version,
		Args:                  cobra.NoArgs,
		RunE:                  func(c *cobra.Command, _ []string) error { return c.Help() },
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
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
		{"agent", []*cobra.Command{newRun(), newFlow(), newGateway(), newScript(), newPub(), newQueue(), newHistory(), newLastLines(), newReload(), newHealth(), newConfig(), newProvision(), newCloud(), newFleet(), newPasswd(), newToken(), newHashPassword()}},
		{"single", []*cobra.Command{newMotion(), newCamera(), newScreen(), newPublish()}},
		{"parts", []*cobra.Command{newDiscover(), newDoctor(), newRead(), newCapture(), newShow()}},
		{"help", []*cobra.Command{newWatch(), newVersion(), newLicenses()}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetCompletionCommandGroupID("help")
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetGlobalNormalizationFunc(oneName)
	root.SetFlagErrorFunc(explainFlag)
	explainArguments(root)
	refuseNegatives(root)
	return root
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		GroupID: "help",
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Root()
			for _, name := range args {
				i := slices.IndexFunc(about.Commands(), func(sub *cobra.Command) bool { return sub.Name() == name })
				if i < 0 {
					return usageError{noSubcommand(about, name)}
				}
				about = about.Commands()[i]
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
