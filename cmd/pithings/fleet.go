package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/fleet"
	"pithings/fleet/scenario"
	"pithings/mqttlink/durable"
)

func newFleet() *cobra.Command {
	o := fleetOptions{}
	c := &cobra.Command{
		Use:        "fleet",
		SuggestFor: []string{"simulate", "load", "stress", "playground"},
		Short:      "Run a fleet of simulated devices against a broker",
		Long: `fleet runs simulated devices against a broker, thousands in one process, each with a
client id, topics and payloads of its own: those of the AWS IoT Playground. They
connect one after another (--ramp), publish telemetry (--interval), answer commands,
and use shadow, jobs and Device Defender where a cloud serves them. It shows how the
broker does, and sums up at the end: after --duration, or Ctrl-C.

  generic     telemetry, commands, shadow, jobs, Device Defender
  bulb        a generic one that is lit by its shadow's status
  switch      a generic one that switches the next bulb or controlled device
  controlled  a bulb that reports its status
  telemetry   telemetry and commands only, for brokers without AWS's services
  pi          a Raspberry Pi with pithings: motion, readings, camera and screen, with
              the topics and payloads of a real agent, each below DEV/
  rogue       what attackers and broken firmware do: foreign topics, floods, broken
              packets, wills, retained messages; the summary says what the broker let
              through, and what to configure

A pi answers capture with the address of a picture that this process serves
(--pictures). With --flows local it runs SecurityFlow itself; else an engine at the
broker may.

--http lets devices be changed while they run, as the playground's are: interval,
topic, payload, reconnects, misbehaviour (docs/playground.md).

More than 100 devices, or one that is rogue, connect to a broker that is neither on
this machine nor on a private network only if --target-is-mine repeats its host. Rogue
devices alone end when they are through (docs/rogue.md). docs/fleet.md has topics,
payloads and limits.

Exit status: 0 all devices were connected, or Ctrl-C; 1 after --duration they never
all were, or it failed; with rogue devices 1, too, if the broker let through a behaviour
of a higher severity than low, or if none could be tested.`,
		Example: `  pithings fleet -n 1000 --duration 1m
  pithings fleet -n 200 -e mqtts://broker.local --identities pki --types generic,bulb,switch
  pithings fleet -n 200 -e mqtt://10.0.0.5 --types pi --flows local
  pithings fleet -n 10000 --ramp 1000 --interval 10s -e mqtt://10.0.0.5 --json --report fleet.json
  pithings fleet -n 1 --types rogue -e mqtts://broker.local --identities pki`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	o.conn.add(f, seedLetters)
	o.conn.id = "pithings-fleet" // of no device
	f.Lookup("client-id").Hidden = true
	f.Lookup("endpoint").Usage += " (default " + localBroker + ")"
	f.IntVarP(&o.Devices, "devices", "n", 10, "how many devices, a `NUMBER`")
	f.StringSliceVar(&o.Types, "types", []string{"generic"}, "`TYPES` of devices, dealt out in turn: "+strings.Join(fleet.Types(), ", "))
	f.DurationVar(&o.Interval, "interval", 10*time.Second, "time between two values of a device's telemetry")
	f.Uint8Var(&o.QoS, "qos", 1, "quality of service of telemetry, `0 or 1`; the playground's devices have 0, and 1 shows how long a PUBACK takes")
	f.Var((*rate)(&o.Ramp), "ramp", "connections begun in a second, at most, such as 100 or 100/s")
	f.DurationVar(&o.Motion, "motion", time.Minute, "time between two motions of a pi, on average; 0 for none")
	f.StringVar(&o.Flows, "flows", "", "`WHERE` the flow of a pi runs: local, on itself, motion → camera → screen; without it an engine at the broker may run it")
	f.StringVar(&o.Pictures, "pictures", "", "`IP:PORT` that serves the pictures of a pi (default this machine as the broker sees it, and a free port)")
	f.DurationVar(&o.Defender, "defender", 300*time.Second, "time between two reports of Device Defender; 0 for none")
	f.StringVar(&o.Prefix, "prefix", fleet.DefaultPrefix, "what names of devices begin with, before 0001: a `TEXT`")
	f.StringVar(&o.Identities, "identities", "", "a certificate for each device: the `FOLDER` of provision local --count")
	f.StringVar(&o.config, "config", "", "take the connection from this configuration of an agent, a `FILE`; flags go before it")
	f.Uint64Var(&o.Seed, "seed", 0, "`NUMBER` from which all random numbers follow (default a random one)")
	f.DurationVar(&o.duration, "duration", 0, "end after this time; 0 is until Ctrl-C")
	f.BoolVar(&o.json, "json", false, "print the summary as JSON")
	f.StringVar(&o.report, "report", "", "also write the summary to a `FILE`, as JSON")
	o.addHTTP(f)
	f.StringVar(&o.scenario, "scenario", "", "let happen to them what a YAML `FILE` says, or a scenario that is built in: "+strings.Join(scenario.Ready(), ", "))
	f.StringVar(&o.stolen, "stolen-ids", "", "client ids that rogue devices take from others, one in each line of a `FILE`; without it none is taken")
	f.StringVar(&o.TargetIsMine, "target-is-mine", "", "repeat the broker's `HOST`, where more than 100 devices, or a rogue one, connect to one that is not on a private network")
	c.AddCommand(newFleetScenario())
	return c
}

type fleetOptions struct {
	fleet.Options
	conn     connection
	config   string
	duration time.Duration
	json     bool
	report   string
	http     fleet.HTTP
	token    string // its file
	scenario string
	stolen   string

	madeReport bool // its file was not there
}

// rate is a number in a second: 100 or 100/s.
type rate float64

// defaultRamp is a broker's listen queue (mosquitto's has 100 places) in a second.
const defaultRamp = 100

func (r *rate) Set(text string) error {
	var n float64
	if _, err := fmt.Sscanf(strings.TrimSuffix(text, "/s")+"\n", "%g\n", &n); err != nil || !(n > 0) {
		return errors.New("give a number in a second, such as 100/s")
	}
	*r = rate(n)
	return nil
}

func (r *rate) Type() string { return "rate" }

func (r *rate) String() string {
	if *r == 0 {
		*r = defaultRamp
	}
	return fmt.Sprintf("%g/s", float64(*r))
}

func (o *fleetOptions) run(c *cobra.Command) error {
	if err := o.read(c); err != nil {
		return err
	}
	f, all, err := o.make(c)
	if err != nil {
		if o.madeReport { // empty as it is, it would be taken for one
			err = errors.Join(err, os.Remove(o.report))
		}
		return o.explain(err)
	}
	// In the clear most memory is for garbage anyway; under TLS it is for connections, which there is
	// no need to have twice.
	if strings.HasPrefix(o.Broker.Endpoint, "mqtts:") {
		collectAt(75)
	} else {
		collectAt(100)
	}
	errs := newProgress(c.ErrOrStderr())
	defer errs.end()
	fmt.Fprint(errs, all.Plan())
	ctx := c.Context()
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	stop := showFleet(errs, f.Meter())
	err = all.Run(ctx)
	stop()
	return errors.Join(err, o.sumUp(c, f.Report()))
}

// read completes the options by the flags of the connection.
func (o *fleetOptions) read(c *cobra.Command) error {
	if c.Flags().Changed("client-id") {
		return usagef("--client-id is of one client, and a fleet has many: --prefix gives what their names begin with")
	}
	if o.Identities != "" && c.Flags().Changed("prefix") {
		return usagef("--prefix names devices, and --identities does, too: give one of them")
	}
	if o.duration < 0 {
		return usagef("--duration %v: give a time above 0", o.duration)
	}
	if !c.Flags().Changed("seed") {
		o.Seed = uint64(rand.Uint32())
	}
	if err := o.readBroker(c); err != nil {
		return err
	}
	if err := o.readHTTP(c); err != nil {
		return err
	}
	if err := o.follow(c); err != nil {
		return err
	}
	if o.stolen != "" {
		var err error
		if o.StolenIDs, err = readStolen(o.stolen); err != nil {
			return err
		}
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	if o.report == "" {
		return nil
	}
	return o.touchReport()
}

// readBroker reads where the devices connect to, and with what.
func (o *fleetOptions) readBroker(c *cobra.Command) (err error) {
	o.conn.certified = o.Identities != ""
	if o.config != "" {
		q := queueConn{config: o.config, conn: o.conn}
		cfg, err := q.load(c)
		if err != nil {
			return err
		}
		if cfg.MQTT.Endpoint == "" {
			return fmt.Errorf("%s names no broker (mqtt.endpoint): give one with -e", o.config)
		}
		if !o.conn.certified {
			err = checkAWS(&cfg.MQTT)
		}
		o.Broker = agent.LinkOptions(&cfg.MQTT)
		return err
	}
	if o.conn.endpoint == "" && o.conn.host == "" {
		o.conn.endpoint = localBroker
		if o.Identities != "" {
			url, err := fleet.IdentityEndpoint(o.Identities)
			if err != nil {
				return fmt.Errorf("--identities: %w", err)
			}
			o.conn.endpoint = url
		}
	}
	o.Broker, err = o.conn.options(c)
	return err
}

// touchReport opens the file of the report, to fail before the run and not after it.
func (o *fleetOptions) touchReport() error {
	file, err := os.OpenFile(o.report, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	o.madeReport = err == nil
	if errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(o.report, os.O_CREATE|os.O_WRONLY, 0o644)
	}
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return file.Close()
}

// maxStolen bounds the file of client ids: each has at most 65535 bytes, and nearly all far fewer.
const maxStolen = 1 << 20

// readStolen reads client ids, one in each line.
func readStolen(name string) (ids []string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--stolen-ids: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxStolen+1))
	if err != nil {
		return nil, fmt.Errorf("--stolen-ids: %w", err)
	}
	if len(text) > maxStolen {
		return nil, usagef("--stolen-ids: %s has more than %d bytes", name, maxStolen)
	}
	for line := range strings.Lines(string(text)) {
		if id := strings.TrimRight(line, "\r\n"); id != "" {
			if len(id) > math.MaxUint16 {
				return nil, usagef("--stolen-ids: %s has a client id of %d bytes; MQTT takes %d", name, len(id), math.MaxUint16)
			}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, usagef("--stolen-ids: there is no client id in %s", name)
	}
	return ids, nil
}

// rogueError is the outcome of rogue devices for a program that waits for it: a broker whose
// configuration lets through what it can stop.
func rogueError(r *fleet.Report) error {
	_, more, tested := r.LetThrough()
	switch {
	case r.Rogues > 0 && tested == 0:
		return errors.New("no behaviour could be tested")
	case more > 0:
		return fmt.Errorf("the broker let through %d of %d behaviours of rogue devices, beside those of low severity", more, tested)
	}
	return nil
}

// explain makes a wrong command line of what only the fleet can find.
func (o *fleetOptions) explain(err error) error {
	var guard *fleet.GuardError
	if errors.As(err, &guard) {
		return usageError{err}
	}
	return err
}

// showFleet shows how a fleet is doing until stop is called.
func showFleet(p *progress, m *fleet.Meter) (stop func()) {
	every := 10 * time.Second
	if p.terminal {
		every = 500 * time.Millisecond
	}
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				p.line(m.Line())
			case <-ended:
				return
			}
		}
	})
	return func() {
		close(ended)
		running.Wait()
	}
}

// sumUp prints the report and writes it where it is asked for.
func (o *fleetOptions) sumUp(c *cobra.Command, r fleet.Report) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if o.json {
		_, err = c.OutOrStdout().Write(text)
	} else {
		_, err = fmt.Fprint(c.OutOrStdout(), r.String())
	}
	if o.report != "" {
		err = errors.Join(err, durable.Replace(o.report, text))
	}
	if err == nil {
		err = rogueError(&r)
	}
	if err == nil && r.Devices > r.Rogues && r.ConnectedSeconds == 0 && !o.Factory && c.Context().Err() == nil {
		err = fmt.Errorf("the devices were never all connected: %d of %d were at the end", r.Connected, r.Devices-r.Rogues)
	}
	return err
}
