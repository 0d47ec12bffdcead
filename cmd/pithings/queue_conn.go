package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/awsiot/provision"
	"pithings/conf"
	"pithings/mqttlink/clock"
	"pithings/spool/pub"
	"pithings/spool/state"
)

// waiting runs what may wait for another program, such as the writer of a pipe, until ctx
// is done. What is not finished then is left to the end of the process.
func waiting[T any](ctx context.Context, f func() (T, error)) (v T, err error) {
	done := make(chan struct{})
	var got T
	var failed error
	go func() {
		defer close(done)
		got, failed = f()
	}()
	select {
	case <-done:
		return got, failed
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}

// queueConn is the connection and the state folder of commands that work with the
// outbox: flags over environment over configuration.
type queueConn struct {
	config, state string
	conn          connection
	identity      config.State // has the identity with which it connects; nil: it does not connect

	target target // found by options
}

func (q *queueConn) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.config, "config", os.Getenv("PITHINGS_CONFIG"), "take connection and state folder from this configuration of the agent, a `FILE`")
	addState(f, &q.state)
}

// options reads the configuration as run would, so that the same rules, variables
// and messages hold.
func (q *queueConn) options(c *cobra.Command) (pub.Options, error) {
	q.identity = usualState
	cfg, err := q.load(c)
	if err != nil {
		return pub.Options{}, err
	}
	if err := checkAWS(&cfg.MQTT); err != nil {
		return pub.Options{}, err
	}
	if q.target, err = findFor(c.Context(), cfg, q.config); err != nil {
		return pub.Options{}, err
	}
	dir := q.target.dir
	o := pub.Options{State: dir, Link: agent.LinkOptions(&cfg.MQTT), Queue: agent.QueueOptions(&cfg.MQTT.Queue)}
	if q.target.agent != nil {
		if x := q.conn.extra; x.willTopic != "" || x.keepSession {
			return pub.Options{}, fmt.Errorf("%s has the connection to this broker, which has its own will and session: leave --will-… and --disable-clean-session out, or give another --client-id and --state DIR", q.target.agent)
		}
		if !q.conn.extra.quiet {
			q.target.say(c.ErrOrStderr())
		}
		o.Agent, o.Simulated = q.target.agent.Socket, q.target.agent.Simulated
	}
	o.Link.CleanSession = !q.conn.extra.keepSession
	if prefix := q.conn.extra.idPrefix; prefix != "" {
		// Not the number of the process: its queue would be no later one's.
		id, err := (&state.Folder{Dir: dir}).ClientID(slog.New(slog.DiscardHandler))
		if err != nil {
			return pub.Options{}, err
		}
		o.Link.ClientID = prefix + id
	}
	o.Link.Clock = clock.New(clock.Options{Trust: cfg.Clock == config.ClockTrust, Built: buildTime(), Dir: dir})
	return o, nil
}

func (q *queueConn) load(c *cobra.Command) (*config.Config, error) {
	given, flags, err := q.conn.overrides(c, "")
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(), given...)
	if q.state != "" {
		env = append(env, "PITHINGS_STATE="+q.state)
		flags["PITHINGS_STATE"] = "--state"
	}
	cfg, warnings, err := config.LoadConnection(q.config, env, q.identity)
	if !q.conn.extra.quiet && (err == nil || q.config != "") {
		warn(c.ErrOrStderr(), warnings, flags)
	}
	err = blameFlags(err, flags)
	var problems *conf.Error
	if errors.As(err, &problems) && q.config == "" {
		if slices.ContainsFunc(problems.Problems, func(p conf.Problem) bool { return filepath.Base(p.Source) == provision.Folder }) {
			return nil, &codeError{err, exitConfig, false}
		}
		return nil, usageError{err}
	}
	if err == nil && cfg.MQTT.Endpoint == "" && cfg.Broker.Listen != "" {
		cfg.MQTT.Endpoint = brokerEndpoint(&cfg.Broker)
	}
	return cfg, err
}

// brokerEndpoint is where the embedded broker of a configuration is reached from this
// host.
func brokerEndpoint(b *config.Broker) string {
	if b.TLS.Cert != "" {
		return "mqtts://" + b.Listen
	}
	return "mqtt://" + b.Listen
}

// publish hands messages over, and prints at the end what is left, where, and what
// delivers it. That all is safe is what the exit status is about.
func (q *queueConn) publish(c *cobra.Command, o pub.Options) error {
	var rest pub.Rest
	o.Rest = func(r pub.Rest) { rest = r }
	err := pub.Run(c.Context(), o)
	if line := rest.String(); line != "" && !q.conn.extra.quiet {
		fmt.Fprintf(c.ErrOrStderr(), "pithings: %s; %s\n", line, q.remedy(o.Link.Endpoint))
	}
	if !q.conn.extra.quiet {
		q.target.sayBacklog(c.ErrOrStderr())
	}
	return errors.Join(err, asideError(rest))
}

// remedy returns what delivers what is kept.
func (q *queueConn) remedy(endpoint string) string {
	state := ""
	if q.state != "" {
		state = " --state " + q.state
	}
	switch unreached := q.target.unreached(); {
	case unreached != "":
		return unreached + "; then pithings pub --drain hands it over"
	case endpoint == "":
		return "pithings pub --drain -e BROKER" + state + " delivers it, or an agent with this folder"
	}
	return "the next pithings pub delivers it, or pithings pub --drain with the same options"
}
