package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/agent/pub"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
)

func newPub() *cobra.Command {
	var o pubOptions
	c := &cobra.Command{
		Use:   "pub",
		Short: "Publish messages, and keep them on disk until the broker has them",
		Long: `pub is mosquitto_pub with a memory. It puts messages into the outbox in the state
folder and delivers them while it runs; what is left is delivered by the next pub
or by the agent on the same folder. It ends when all is on the disk ("safe"),
delivered or not.

With -l it reads lines from standard input, each a message, and prints "safe N"
when line N is on the disk, in order. "held N" says that the disk cannot be
written, so that line N is in memory only; "safe N" follows when it can.

Beside a running agent that owns the state folder it hands its messages over to
the agent, whose connection they take. To an agent that starts later it leaves the
folder, and goes on beside it.

Exit status: 0 all is safe; 1 something is not, or was refused; 2 wrong usage.`,
		Example: `  pithings pub -e mqtt://127.0.0.1 -t hall/door -m open
  sensor | pithings pub -l -t hall/noise -e mqtts://HOST --ca root.pem --cert pi.pem --key pi.key
  pithings pub --drain --timeout 10m -e mqtt://127.0.0.1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	f.StringVarP(&o.topic, "topic", "t", "", "topic")
	f.StringVarP(&o.text, "message", "m", "", "the message is this text")
	f.StringVarP(&o.file, "file", "f", "", "the message is this file's contents; - for standard input")
	f.BoolVarP(&o.lines, "stdin-line", "l", false, "each line of standard input is a message")
	f.BoolVarP(&o.stdin, "stdin-file", "s", false, "all of standard input is one message")
	f.BoolVarP(&o.null, "null-message", "n", false, "an empty message")
	f.Uint8VarP(&o.qos, "qos", "q", 1, "quality of service, 0 or 1")
	f.BoolVarP(&o.retain, "retain", "r", false, "the broker is to keep the message for later subscribers")
	f.BoolVar(&o.drain, "drain", false, "publish nothing; deliver what waits, and end when nothing does")
	f.DurationVar(&o.timeout, "timeout", 0, "with --drain: give up after this time, with exit status 1; 0: never")
	f.DurationVar(&o.linger, "linger", 5*time.Second, "at the end: longest time for what is on its way to the broker")
	f.StringVar(&o.connection, "connection", "", "beside a running agent: the thing whose connection is to be used; empty: the shared one")
	o.conn.add(c)
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what the connection does")
	return c
}

type pubOptions struct {
	topic, text, file          string
	lines, stdin, null, retain bool
	qos                        uint8
	drain, verbose             bool
	timeout, linger            time.Duration
	connection                 string
	conn                       queueConn
}

func (o *pubOptions) run(c *cobra.Command) error {
	changed := c.Flags().Changed
	sources := 0
	for _, name := range []string{"message", "file", "stdin-line", "stdin-file", "null-message"} {
		if changed(name) {
			sources++
		}
	}
	switch {
	case o.drain && (sources > 0 || o.topic != ""):
		return usagef("--drain only delivers what waits: leave topic and message out")
	case !o.drain && changed("timeout"):
		return usagef("--timeout is for --drain")
	case !o.drain && o.topic == "":
		return usagef("name the topic with -t TOPIC")
	case !o.drain && sources != 1:
		return usagef("say what to publish, once: -m TEXT, -f FILE, -l for the lines of standard input, -s for all of it, or -n for nothing")
	case o.qos > 1:
		return usagef("-q %d: only 0 and 1 are supported", o.qos)
	}
	if !o.drain {
		if err := mqttlink.ValidTopic(o.topic); err != nil {
			return usagef("-t: %w", err)
		}
	}
	options, err := o.conn.options(c)
	if err != nil {
		return err
	}
	options.Connection, options.Linger = o.connection, o.linger
	if o.drain {
		return o.drainAll(c, options)
	}
	options.Log = (&partOptions{verbose: o.verbose}).log(c.ErrOrStderr())
	m := mqttlink.Message{Topic: o.topic, QoS: o.qos, Retain: o.retain}
	switch {
	case o.lines:
		options.Input, options.Verdicts = pub.Lines(c.InOrStdin(), m), c.OutOrStdout()
	case o.stdin, o.file != "":
		if m.Payload, err = readPayload(c.InOrStdin(), o.file); err != nil {
			return err
		}
		options.Input = pub.One(m)
	default:
		m.Payload = []byte(o.text)
		options.Input = pub.One(m)
	}
	err = pub.Run(c.Context(), options)
	if err == nil && options.Link.Endpoint == "" && !o.lines {
		options.Log.Info("the message is safe; it is delivered by the agent, or by pithings pub --drain -e BROKER", "state", options.State)
	}
	return err
}

// readPayload reads a file, or standard input if there is no name.
func readPayload(stdin io.Reader, name string) ([]byte, error) {
	r := stdin
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
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
	ctx := c.Context()
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	show := newProgress(c.ErrOrStderr())
	options.Log = (&partOptions{verbose: o.verbose}).log(show)
	err := pub.Drain(ctx, options, show.show)
	show.end()
	if err == nil {
		fmt.Fprintln(c.OutOrStdout(), "nothing waits any more")
	}
	return err
}

// queueConn is the connection and the state folder of commands that work with the
// outbox: flags over environment over configuration.
type queueConn struct {
	config, endpoint, ca, cert, key, id string
	username, passwordFile, state       string
}

func (q *queueConn) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.config, "config", os.Getenv("PITHINGS_CONFIG"), "take connection and state folder from this configuration of the agent")
	f.StringVarP(&q.endpoint, "endpoint", "e", "", "the broker: HOST (mqtts on 8883), mqtt://HOST, …; none: messages are only kept")
	f.StringVar(&q.ca, "ca", "", "certificate of the broker's authority, a PEM file or a folder of them")
	f.StringVar(&q.cert, "cert", "", "this client's certificate, a PEM file")
	f.StringVar(&q.key, "key", "", "the certificate's private key, a PEM file")
	f.StringVarP(&q.id, "id", "i", "", "client id (default: the one kept in the state folder)")
	f.StringVarP(&q.username, "username", "u", "", "user name (or PITHINGS_MQTT_USERNAME)")
	f.StringVar(&q.passwordFile, "password-file", "", "file with the password (or PITHINGS_MQTT_PASSWORD)")
	addState(f, &q.state)
}

// options reads the configuration as run would, so that the same rules, variables
// and messages hold.
func (q *queueConn) options(c *cobra.Command) (pub.Options, error) {
	cfg, err := q.load(c)
	if err != nil {
		return pub.Options{}, err
	}
	dir, err := stateDir(cfg.State)
	if err != nil {
		return pub.Options{}, err
	}
	o := pub.Options{State: dir, Link: agent.LinkOptions(&cfg.MQTT), Queue: agent.QueueOptions(&cfg.MQTT.Queue)}
	o.Link.Clock = clock.New(clock.Options{Trust: cfg.Clock == config.ClockTrust, Built: buildTime(), Dir: dir})
	return o, nil
}

func (q *queueConn) load(c *cobra.Command) (*config.Config, error) {
	env := os.Environ()
	for _, f := range []struct{ variable, value string }{
		{"PITHINGS_MQTT_ENDPOINT", q.endpoint}, {"PITHINGS_MQTT_CA", q.ca}, {"PITHINGS_MQTT_CERT", q.cert}, {"PITHINGS_MQTT_KEY", q.key},
		{"PITHINGS_MQTT_CLIENT_ID", q.id}, {"PITHINGS_MQTT_USERNAME", q.username}, {"PITHINGS_MQTT_PASSWORD_FILE", q.passwordFile}, {"PITHINGS_STATE", q.state},
	} {
		if f.value != "" {
			env = append(env, f.variable+"="+f.value)
		}
	}
	cfg, warnings, err := config.LoadConnection(q.config, env)
	for _, w := range warnings {
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning:", w)
	}
	var problems *config.Error
	if errors.As(err, &problems) && q.config == "" {
		return nil, usageError{err}
	}
	if err == nil && cfg.MQTT.Endpoint == "" && cfg.Broker.Listen != "" {
		cfg.MQTT.Endpoint = "mqtt://" + cfg.Broker.Listen
	}
	return cfg, err
}
