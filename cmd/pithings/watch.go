package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/conf"
	"pithings/mqttlink"
	"pithings/mqttlink/topic"
	"pithings/spool/control"
)

func newWatch() *cobra.Command {
	o := watchOptions{random: 100, speed: 1}
	c := &cobra.Command{
		Use:        "watch [TOPIC…]",
		SuggestFor: []string{"sub", "subscribe", "listen", "mosquitto_sub", "tail"},
		Short:      "Print every message that passes the broker",
		Long: `watch subscribes and prints what comes, a line for each message: topic and payload,
or with -t the payload alone, as mosquitto_sub does. It takes mosquitto_sub's options,
but for -c, -k and -r, which are certificates here as for the other commands; see
docs/mosquitto.md. On a terminal control characters are shown as \u…. Without a
broker it listens to the one on this machine.

With --record the messages are written to a file and not printed, a line of JSON for
each. --replay publishes such a file, at the distances of the recording divided by
--speed; -t and -T choose messages. What was retained is published as retained only
with --retain, and topics that begin with $ only if a -t names them.

Exit status: 0 all that was asked for has come, or Ctrl-C; 1 it has not; 2 wrong
usage; 27 the time of -W is over.`,
		Example: `  pithings watch
  pithings watch 'bme680/#' --json
  pithings watch -t hall/door -C 1 -W 10
  pithings watch -t 'hall/#' --record hall.jsonl
  pithings watch --replay hall.jsonl --speed 10 -e mqtt://127.0.0.1
  pithings watch -e HOST -r root.pem -c cert.pem -k key.pem -v -t 'TG_MS/motion' -t 'TG_Camera/#'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if o.replay != "" {
				return o.queue.conn.extra.quietly(o.runReplay(c, args))
			}
			return o.queue.conn.extra.quietly(o.run(c, args))
		},
	}
	f := c.Flags()
	o.queue.conn.add(f, seedLetters.with("client-id", "i").with("username", "u").with("pw", "P"))
	f.Lookup("endpoint").DefValue = localBroker
	o.queue.conn.extra.add(f, &o.verbose, "")
	f.StringVar(&o.queue.config, "config", os.Getenv("PITHINGS_CONFIG"), "take the connection from this configuration of the agent, a `FILE`")
	f.StringArrayVarP(&o.topics, "topic", "t", nil, "`TOPIC` or filter; may be given several times (default #)")
	f.StringArrayVarP(&o.without, "filter-out", "T", nil, "print nothing of this `FILTER`; may be given several times")
	f.Uint8VarP(&o.qos, "qos", "q", 1, "quality of service, 0 or 1; 2 is 1")
	f.IntVarP(&o.count, "count", "C", 0, "end after so many messages")
	f.VarP(&o.within, "timeout", "W", "end after so many `SECONDS`, with exit status 27")
	f.BoolVarP(&o.onlyAsk, "exit-subscribed", "E", false, "end when the broker has taken the subscriptions")
	f.BoolVarP(&o.fresh, "no-retained", "R", false, "print no retained messages")
	f.BoolVar(&o.retained, "retained-only", false, "print retained messages only, and end with the first other one")
	f.BoolVar(&o.remove, "remove-retained", false, "delete at the broker each retained message that comes")
	f.Float64Var(&o.random, "random-filter", 100, "print so many of a hundred messages, by chance")
	f.BoolVarP(&o.style.topics, "topics", "v", false, "print topic and payload")
	f.BoolVar(&o.style.long, "long", false, "print time, topic, quality of service and size, and JSON over several lines")
	f.BoolVar(&o.style.json, "json", false, "print an object of JSON in a line for each message")
	f.StringVarP(&o.style.format, "format", "F", "", "print by this `FORMAT`, as mosquitto_sub's: %t topic, %p payload, %j JSON, …")
	f.BoolVar(&o.style.pretty, "pretty", false, "with --json, %j and %J: over several lines")
	f.BoolVarP(&o.style.bare, "no-newline", "N", false, "print no end of line behind a message")
	f.StringVar(&o.record, "record", "", "write the messages to a new `FILE` instead of printing them, each in a line of JSON")
	f.TextVar(&o.maxSize, "max-size", conf.Bytes(1<<30), "end when the file of --record would become larger than `SIZE`, such as 64MiB")
	f.StringVar(&o.replay, "replay", "", "publish the messages of a `FILE` of --record")
	f.Var(&o.speed, "speed", "with --replay: so many times faster than recorded; max or 0: as fast as the broker takes them")
	f.BoolVar(&o.retain, "retain", false, "with --replay: publish as retained what was retained")
	f.BoolVar(&o.verbose, "verbose", false, "log what the connection does")
	addAnswer(f, unlikeOption{"unsubscribe", "U", true, "-U is not supported: name only the topics that you want; a session that the broker keeps ends when its --client-id connects without --disable-clean-session"})
	addAnswer(f, unlikeOption{"retain-as-published", "", false, "--retain-as-published is not supported: pithings speaks MQTT 3.1.1, where the flag marks what was retained before; --retained-only and -R choose by it"})
	return c
}

type watchOptions struct {
	queue                   queueConn
	topics, without         []string
	qos                     uint8
	count                   int
	within                  seconds
	onlyAsk                 bool
	fresh, retained, remove bool
	random                  float64
	style                   style
	record, replay          string
	maxSize                 conf.Bytes
	speed                   speed
	retain                  bool
	verbose                 bool
}

// exitTimeout is mosquitto_sub's exit code at the end of -W.
const exitTimeout = 27

// Reasons for watch to end.
var (
	errAllCome    = errors.New("all has come")
	errTimeUp     = errors.New("the time is over")
	errReaderGone = errors.New("the reader has gone")
)

// arguments completes the options; counted says that -C was given.
func (o *watchOptions) arguments(args []string, counted bool) error {
	if err := o.queue.conn.readURL(); err != nil {
		return err
	}
	m := &o.queue.conn.extra
	if len(o.topics) == 0 && m.topic == "" {
		o.style.topics = true
	}
	if m.topic != "" {
		o.topics = append(o.topics, m.topic)
	}
	if o.topics = append(o.topics, args...); len(o.topics) == 0 {
		o.topics = []string{"#"}
	}
	for _, list := range []struct {
		flag    string
		filters []string
	}{{"-t", o.topics}, {"-T", o.without}} {
		for _, f := range list.filters {
			if err := topic.CheckFilter(f); err != nil {
				return usagef("%s: %w; put a filter in quotes, 'a/#'", list.flag, err)
			}
		}
	}
	switch {
	case o.qos > 2:
		return usagef("-q %d: give 0 or 1", o.qos)
	case o.count < 0 || o.count == 0 && counted:
		return usagef("-C %d: give a number from 1", o.count)
	case o.within.given && o.within.Duration == 0:
		return usagef("-W 0: give a time above 0, or leave -W out to wait for ever")
	case o.fresh && o.retained:
		return usagef("-R and --retained-only leave nothing to print: give one of them")
	case !(o.random > 0 && o.random <= 100):
		return usagef("--random-filter %v: give a number above 0 and up to 100", o.random)
	}
	return o.style.check()
}

// link returns the options of the connection.
func (o *watchOptions) link(c *cobra.Command) (mqttlink.Options, error) {
	q := &o.queue
	cfg, err := q.load(c)
	if err != nil {
		return mqttlink.Options{}, err
	}
	if cfg.MQTT.Endpoint == "" {
		if cfg.MQTT.Endpoint = localBroker; cfg.MQTT.CA != "" || cfg.MQTT.Cert != "" {
			cfg.MQTT.Endpoint = "mqtts://localhost"
		} else if endpoint, a := runningBroker(c.Context(), control.UsualPlaces(), cfg); endpoint != "" {
			cfg.MQTT.Endpoint = endpoint
			if !q.conn.extra.quiet {
				fmt.Fprintf(c.ErrOrStderr(), "pithings: listening to %s, the broker of %s\n", endpoint, a)
			}
		}
	}
	if err := checkAWS(&cfg.MQTT); err != nil {
		return mqttlink.Options{}, err
	}
	link := agent.LinkOptions(&cfg.MQTT)
	link.CleanSession = !q.conn.extra.keepSession
	if q.conn.id == "" && q.conn.extra.idPrefix == "" {
		link.ClientID = "" // a second client with the agent's would end its connection
	}
	if q.conn.extra.willTopic == "" {
		link.Will = nil // the agent's
	}
	link.MaxInbound = watchAtMost
	return link, nil
}

// watchAtMost is the largest message that is printed, in bytes.
const watchAtMost = 16 << 20

func (o *watchOptions) run(c *cobra.Command, args []string) error {
	if err := cmp.Or(o.checkRecord(c.Flags().Changed), o.arguments(args, c.Flags().Changed("count"))); err != nil {
		return err
	}
	options, err := o.link(c)
	if err != nil {
		return err
	}
	options.Log = slog.New(slog.DiscardHandler)
	if !o.queue.conn.extra.quiet || o.verbose {
		options.Log = (&partOptions{verbose: o.verbose}).log(c.ErrOrStderr())
	}
	if o.qos == 2 {
		options.Log.Warn("QoS 2 is not supported; subscribed with QoS 1: after a lost connection a message may come twice")
		o.qos = 1
	}
	ctx, end := context.WithCancelCause(c.Context())
	defer end(nil)
	if o.within.given {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.within.Duration, errTimeUp)
		defer cancel()
	}
	out := c.OutOrStdout()
	w := watcher{o: o, print: newPrinter(o.style, out), now: time.Now, end: end, errs: c.ErrOrStderr(), unasked: slices.Clone(o.topics)}
	lines := newOutput(out, func(error) { end(errReaderGone) })
	lines.notes = c.ErrOrStderr()
	defer lines.close()
	w.w = lines
	if o.record != "" {
		if w.record, err = newRecorder(o.record, o.maxSize); err != nil {
			return err
		}
		return o.runRecord(ctx, c, options, &w)
	}
	return o.subscribe(ctx, options, &w)
}

// subscribe runs the connection until ctx is done.
func (o *watchOptions) subscribe(ctx context.Context, options mqttlink.Options, w *watcher) error {
	options.OnSuback = w.answered
	l, err := mqttlink.New(options)
	if err != nil {
		return err
	}
	w.link = l
	if _, err := l.SubscribeAll(o.topics, o.qos, w.message); err != nil {
		return usageError{err}
	}
	if err := l.Run(ctx); err != nil {
		return err
	}
	return w.result(context.Cause(ctx))
}

// watcher prints messages, one at a time.
type watcher struct {
	o     *watchOptions
	link  *mqttlink.Link
	print printer
	now   func() time.Time
	end   func(error)
	// record is where the messages go instead of being printed, if not nil.
	record *recorder
	errs   io.Writer

	mu      sync.Mutex
	w       io.Writer
	n       int // printed
	over    bool
	unasked []string // filters that the broker has not answered
	refused []string
}

// answered notes what the broker answers to subscriptions.
func (w *watcher) answered(filters, refused []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unasked = slices.DeleteFunc(w.unasked, func(f string) bool { return slices.Contains(filters, f) })
	for _, f := range filters {
		w.refused = slices.DeleteFunc(w.refused, func(r string) bool { return r == f })
	}
	w.refused = append(w.refused, refused...)
	switch {
	case len(w.unasked) > 0:
	case len(w.refused) == len(w.o.topics):
		w.end(fmt.Errorf("the broker refuses all subscriptions (%s): check its access list or policy", strings.Join(w.refused, ", ")))
	case w.o.onlyAsk:
		w.end(errAllCome)
	}
}

func (w *watcher) message(ctx context.Context, m mqttlink.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.o
	switch {
	case w.over, o.onlyAsk:
		return
	case slices.ContainsFunc(o.without, func(f string) bool { return topic.Match(f, m.Topic) }):
		return
	case o.retained && !m.Retain:
		w.stop()
		return
	}
	if o.remove && m.Retain {
		if err := w.link.Publish(ctx, mqttlink.Message{Topic: m.Topic, QoS: 1, Retain: true}); err != nil {
			w.end(fmt.Errorf("the retained message of %s was not deleted: %w", m.Topic, err))
			return
		}
	}
	if o.fresh && m.Retain || o.random < 100 && rand.Float64()*100 >= o.random {
		return
	}
	if w.record != nil {
		if err := w.record.add(&m, w.now()); err != nil {
			w.over = true
			w.end(err)
			return
		}
	} else if line, err := w.print(m, w.now()); err != nil {
		fmt.Fprintf(w.errs, "pithings: %v\n", err)
	} else {
		w.w.Write(line)
	}
	if w.n++; w.n == o.count {
		w.stop()
	}
}

// stop ends the watch as it is asked for.
func (w *watcher) stop() {
	w.over = true
	w.end(errAllCome)
}

// result is what becomes of the command when the link has ended because of cause.
func (w *watcher) result(cause error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if left := w.link.Queued(); left > 0 {
		return fmt.Errorf("%d retained messages were not deleted: there was no answer from %s", left, w.link.Endpoint())
	}
	s := w.link.Stats()
	switch {
	case errors.Is(cause, errAllCome), errors.Is(cause, errReaderGone):
		return nil
	case errors.Is(cause, errTimeUp) && s.Connects == 0:
		why := s.LastError
		if why == "" {
			why = "no answer from " + w.link.Endpoint().String()
		}
		return fmt.Errorf("no connection within %v: %s", w.o.within.Duration, why)
	case errors.Is(cause, errTimeUp):
		return &codeError{fmt.Errorf("timed out after %v, with %d messages", w.o.within.Duration, w.n), exitTimeout, false}
	case !errors.Is(cause, context.Canceled):
		return cause
	case w.o.count > 0:
		return fmt.Errorf("interrupted after %d of %d messages", w.n, w.o.count)
	}
	return nil // Ctrl-C
}
