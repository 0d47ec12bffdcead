package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
	"pithings/spool/pub"
)

func newPub() *cobra.Command {
	var o pubOptions
	c := &cobra.Command{
		Use:        "pub [TOPIC [MESSAGE]]",
		SuggestFor: []string{"send", "mosquitto_pub", "post"},
		Short:      "Publish messages, and keep them on disk until the broker has them",
		Long: `pub is mosquitto_pub with a memory. It puts messages into the outbox in the state
folder and delivers them while it runs; what is left is delivered by the next pub
or by the agent on the same folder. It ends when all is on the disk ("safe"),
delivered or not. It takes mosquitto_pub's options (docs/mosquitto.md).

With -l it reads lines from standard input, each a message, and prints "safe N"
when line N is on the disk, in order. "held N" says that the disk cannot be
written, so that line N is in memory only; "safe N" follows when it can.

Beside a running agent that owns the state folder it hands its messages over to
the agent, whose connection they take. To an agent that starts later it leaves the
folder, and continues beside it.

Exit status: 0 all is safe; 1 something is not, or was refused; 2 wrong usage.`,
		Example: `  pithings pub -e mqtt://127.0.0.1 -t hall/door -m open
  sensor | pithings pub -l -t hall/noise -e mqtts://HOST --ca root.pem --cert pi.pem --key pi.key
  pithings pub --drain --timeout 10m -e mqtt://127.0.0.1`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return o.queue.conn.extra.quietly(o.run(c, args))
		},
	}
	f := c.Flags()
	f.StringVarP(&o.topic, "topic", "t", "", "`TOPIC` of the messages")
	f.StringVarP(&o.text, "message", "m", "", "the message is this `TEXT`")
	f.Lookup("message").Annotations = map[string][]string{anyValue: {}}
	f.StringVarP(&o.file, "file", "f", "", "the message is this `FILE`'s contents; - for standard input")
	f.BoolVarP(&o.lines, "stdin-line", "l", false, "each line of standard input is a message")
	f.BoolVarP(&o.stdin, "stdin-file", "s", false, "all of standard input is one message")
	f.BoolVarP(&o.null, "null-message", "n", false, "an empty message")
	f.Uint8VarP(&o.qos, "qos", "q", 1, "quality of service, 0 or 1")
	f.BoolVarP(&o.retain, "retain", "r", false, "the broker is to keep the message for later subscribers")
	f.IntVar(&o.repeat, "repeat", 1, "publish the message so many `TIMES`")
	f.Var(&o.delay, "repeat-delay", "with --repeat: `SECONDS` between them")
	f.IntVarP(&o.queue.conn.extra.inflight, "max-inflight", "M", 20, "`MESSAGES` on their way to the broker at a time")
	o.queue.conn.extra.inflight = 0
	f.BoolVar(&o.drain, "drain", false, "publish nothing; deliver what waits, and end when nothing does")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this time, with exit status 1 if not all is safe, or with --drain delivered; 0: never")
	f.DurationVar(&o.linger, "linger", 5*time.Second, "at the end: longest time for what is on its way to the broker")
	f.StringVar(&o.connection, "connection", "", "beside a running agent: the `THING` whose connection is to be used; empty: the shared one")
	o.queue.conn.add(f, mosquittoLetters.with("keepalive", "k"))
	o.queue.conn.extra.add(f, &o.verbose, "c")
	o.queue.add(c)
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what the connection does")
	return c
}

type pubOptions struct {
	topic, text, file          string
	lines, stdin, null, retain bool
	qos                        uint8
	repeat                     int
	delay                      seconds
	drain, verbose             bool
	timeout, linger            time.Duration
	connection                 string
	queue                      queueConn
}

// sources are the flags that say what is published.
var sources = []string{"message", "file", "stdin-line", "stdin-file", "null-message"}

// arguments reads TOPIC and MESSAGE where they are given without their flags.
func (o *pubOptions) arguments(c *cobra.Command, args []string) error {
	given := 0
	for _, name := range sources {
		if c.Flags().Changed(name) {
			given++
		}
	}
	if o.topic == "" && o.queue.conn.extra.topic != "" {
		o.topic = o.queue.conn.extra.topic
	} else if o.topic == "" && len(args) > 0 {
		o.topic, args = args[0], args[1:]
	}
	if len(args) == 1 && given == 0 && !o.drain {
		o.text, args, given = args[0], nil, 1
	}
	switch {
	case len(args) > 0:
		return usagef("%s is one word too many: put text with spaces in quotes, -m 'hello world'", quoted(args[0]))
	case !o.drain:
		return o.check(given, c.Flags().Changed("repeat"))
	case given > 0 || o.topic != "":
		return usagef("--drain only delivers what waits: leave topic and message out")
	}
	return nil
}

// check says what is wrong with what is to be published; sources is how many flags say
// what that is.
func (o *pubOptions) check(sources int, repeat bool) error {
	switch {
	case o.topic == "":
		return usagef("name the topic with -t TOPIC")
	case sources != 1:
		return usagef("say what to publish, once: -m TEXT, -f FILE, -l for the lines of standard input, -s for all of it, or -n for nothing")
	case o.repeat < 1:
		return usagef("--repeat %d: give a number from 1", o.repeat)
	case o.repeat > 1 && o.lines:
		return usagef("--repeat is for one message, and -l publishes lines: give -m, -f, -s or -n")
	case o.delay.given && !repeat:
		return usagef("--repeat-delay goes with --repeat TIMES: give it, too")
	case o.qos > 1:
		return usagef("-q %d: only 0 and 1 are supported; -q 1 delivers at least once", o.qos)
	}
	if err := topic.Check(o.topic); err != nil {
		return usagef("-t: %w", err)
	}
	return nil
}

func (o *pubOptions) run(c *cobra.Command, args []string) error {
	if err := o.queue.conn.readURL(); err != nil {
		return err
	}
	if err := o.arguments(c, args); err != nil {
		return err
	}
	options, err := o.queue.options(c)
	if err != nil {
		return err
	}
	options.Connection, options.Linger = o.connection, o.linger
	if o.timeout > 0 {
		ctx, cancel := context.WithTimeout(c.Context(), o.timeout)
		defer cancel()
		c.SetContext(ctx)
	}
	if o.drain {
		return o.drainAll(c, options)
	}
	options.Log = o.log(c.ErrOrStderr())
	m := mqttlink.Message{Topic: o.topic, QoS: o.qos, Retain: o.retain}
	switch {
	case o.lines:
		options.Input, options.Verdicts = pub.Lines(c.InOrStdin(), m), c.OutOrStdout()
	case o.stdin, o.file != "":
		if m.Payload, err = readPayload(c.Context(), c.InOrStdin(), o.file); err != nil {
			return err
		}
		options.Input = o.repeated(c.Context(), m)
	default:
		m.Payload = []byte(o.text)
		options.Input = o.repeated(c.Context(), m)
	}
	if len(m.Payload) == 0 && o.retain && !o.null && !o.lines {
		// What makes the message may just have failed: -m "$(sensor)", sensor | pub -s.
		return usagef("the message is empty, and with -r that deletes the retained one of %s: if you mean it, give -n", o.topic)
	}
	return o.queue.publish(c, options)
}

// log is the log of the connection.
func (o *pubOptions) log(w io.Writer) *slog.Logger {
	if o.queue.conn.extra.quiet && !o.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return (&partOptions{verbose: o.verbose}).log(w)
}

// repeated gives a message as often as asked for.
func (o *pubOptions) repeated(ctx context.Context, m mqttlink.Message) func() ([]mqttlink.Message, error) {
	n := 0
	return func() ([]mqttlink.Message, error) {
		if n == o.repeat {
			return nil, nil
		}
		if n++; n > 1 && o.delay.Duration > 0 {
			select {
			case <-time.After(o.delay.Duration):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		return []mqttlink.Message{m}, nil
	}
}

// readPayload reads a file, or standard input if there is no name.
func readPayload(ctx context.Context, stdin io.Reader, name string) ([]byte, error) {
	return waiting(ctx, func() ([]byte, error) { return readAll(stdin, name) })
}

func readAll(stdin io.Reader, name string) ([]byte, error) {
	r := stdin
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w; for a text write -m", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s is a folder; name a file in it", name)
		}
		r = f
	}
	payload, err := io.ReadAll(io.LimitReader(r, pub.MaxLine+1))
	if err == nil && len(payload) > pub.MaxLine {
		err = fmt.Errorf("the message is larger than %d MiB", pub.MaxLine>>20)
	}
	return payload, err
}

// drainAll delivers what waits, and shows how far it has come.
func (o *pubOptions) drainAll(c *cobra.Command, options pub.Options) error {
	show := newProgress(c.ErrOrStderr())
	options.Log = o.log(show)
	err := pub.Drain(c.Context(), options, show.show)
	show.end()
	if err == nil {
		fmt.Fprintln(c.OutOrStdout(), "nothing waits any more")
	}
	return err
}
