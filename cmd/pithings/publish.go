package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/conf"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/topic"
	"pithings/spool/pub"
	"pithings/spool/state"
	"pithings/things"
)

func newPublish() *cobra.Command {
	var (
		conn     connection
		onTopic  string
		bus      string
		address  things.Address
		interval time.Duration
		dir      string
		o        partOptions
	)
	c := &cobra.Command{
		Use:   "publish",
		Short: "Publish a BME680's temperature to one topic every 3 s",
		Long: `publish does what the publishing script of the BME680-to-AWS tutorial does: it
reads the temperature every three seconds and publishes it, QoS 1, as

  {"sequence": 0, "value": 23.6, "status": "success", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}

A reading that fails is published with "value": null and "status": "fail". What
cannot be delivered is kept on disk and delivered in order when it can, by the next
publish if need be. If this machine's clock is not known to be right, readings wait
until it is; PITHINGS_CLOCK=trust believes it.`,
		Example: `  pithings publish -e HOST -r root.pem -c cert.pem -k key.pem -i myPi -t bme680/temperature
  pithings publish -e mqtt://127.0.0.1 -t bme680/temperature --mock`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err := topic.Check(onTopic); err != nil {
				return usagef("-t: %w", err)
			}
			if interval <= 0 {
				return usagef("--interval %v: give the time between two measurements, such as 3s", interval)
			}
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			lines := newOutput(c.OutOrStdout(), func(error) { cancel() })
			defer lines.close()
			log := o.log(c.ErrOrStderr())
			link, err := conn.options(c)
			if err != nil {
				return err
			}
			id := conn.id
			link.Log = log
			folder, remove, err := singleState(dir, id, o.mock)
			if err != nil {
				return err
			}
			defer remove()
			link.Clock = clock.New(clock.Options{Trust: o.mock || os.Getenv("PITHINGS_CLOCK") == config.ClockTrust, Built: buildTime(), Dir: folder, Log: log})
			transcript := things.NewScriptTranscript(lines)
			printing, endPrinting := context.WithCancel(context.WithoutCancel(ctx))
			var printer sync.WaitGroup
			printer.Go(func() { _ = transcript.Run(printing) })
			defer func() {
				endPrinting()
				printer.Wait()
			}()
			owner, err := pub.Own(pub.Options{State: folder, Link: link, Log: log, Claim: func(f *state.Folder) error { return f.Claim(o.mock) }})
			if err != nil {
				return err
			}
			defer func() {
				rest, closeErr := owner.Close()
				err = errors.Join(err, closeErr, atTheEnd(c.ErrOrStderr(), rest, "the next pithings publish with this client id delivers it", o.mock && dir == ""))
			}()
			board, closeBoard, err := openBoard(o.mock, log)
			if err != nil {
				return err
			}
			defer closeBoard()
			sensor := new(things.EnvironmentSettings)
			conf.Fill(sensor)
			sensor.Bus, sensor.Address, sensor.Interval.Duration = bus, address, interval
			sensor.Only, sensor.Schema = "temperature", things.Script
			e, err := sensor.Open(things.Options{Thing: id, Topics: map[string]string{"temperature": onTopic}}, things.Env{
				Board: board, Link: transcript.Client(owner.Link(), owner.Link().Stats), Log: log,
			})
			if err != nil {
				return err
			}
			agent.RunOne(ctx, e, log)
			return nil
		},
	}
	f := c.Flags()
	conn.add(f, seedLetters.with("client-id", "i"))
	conn.id = "basicPubSub"
	f.Lookup("client-id").DefValue = conn.id
	f.StringVarP(&onTopic, "topic", "t", "sdk/test/Python", "topic")
	f.StringVarP(&bus, "bus", "b", "1", "I²C bus: a number, a device or an adapter's name")
	f.TextVar(&address, "address", things.Address(0), "0x76, 0x77, or auto")
	f.DurationVar(&interval, "interval", 3*time.Second, "time between measurements")
	f.BoolVar(&o.mock, "mock", false, "simulate the sensor")
	addState(f, &dir)
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what happens")
	notPub(c)
	return c
}

// notPub answers the flags of mosquitto_pub, which publishes what it is given.
func notPub(c *cobra.Command) {
	f := c.Flags()
	var text, file string
	var lines bool
	f.StringVarP(&text, "message", "m", "", "")
	f.StringVarP(&file, "file", "f", "", "")
	f.BoolVarP(&lines, "stdin-line", "l", false, "")
	names := []string{"message", "file", "stdin-line"}
	for _, name := range names {
		f.Lookup(name).Hidden = true
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		for _, name := range names {
			if f.Changed(name) {
				return usagef("publish reads a sensor and takes no -%s; did you mean pub?", f.Lookup(name).Shorthand)
			}
		}
		return nil
	}
}
