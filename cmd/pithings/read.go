package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"periph.io/x/conn/v3/gpio"

	"pithings/agent"
	"pithings/spool/control"
	"pithings/things"
)

func newRead() *cobra.Command {
	c := &cobra.Command{
		Use:   "read",
		Short: "Read a sensor once and print what it says",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return usagef("say which sensor: bme680 or motion") },
	}
	c.AddCommand(newReadBME680(), newReadMotion())
	return c
}

func newReadBME680() *cobra.Command {
	var (
		o       partOptions
		bus     string
		address things.Address
	)
	c := &cobra.Command{
		Use:     "bme680",
		Short:   "Read temperature, humidity, pressure and gas resistance",
		Example: "  pithings read bme680\n  pithings read bme680 --mock --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, sensor, err := readBME680(c, &o, bus, uint16(address))
			if err != nil {
				return err
			}
			if o.json {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", r.State())
				return err
			}
			return printReading(c.OutOrStdout(), sensor, r)
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&bus, "bus", "b", "1", "I²C bus: a number, a device or an adapter's name")
	f.TextVar(&address, "address", things.Address(0), "0x76, 0x77, or auto")
	return c
}

// readBME680 takes a reading: through the agent that has the sensor, if one does.
func readBME680(c *cobra.Command, o *partOptions, bus string, address uint16) (r things.Reading, sensor string, err error) {
	if !o.mock {
		if r, sensor, err := readThroughAgent(c, bus, address); err == nil || !errors.Is(err, errNoAgent) {
			return r, sensor, err
		}
	}
	board, closeBoard, err := openBoard(o.mock, o.log(c.ErrOrStderr()))
	if err != nil {
		return r, "", err
	}
	defer closeBoard()
	s, err := things.OpenSensor(board, bus, address, nil)
	if err != nil {
		return r, "", err
	}
	defer s.Close()
	r, err = readStable(c.Context(), s)
	return r, s.String(), err
}

// errNoAgent says that no agent has the sensor.
var errNoAgent = errors.New("no agent has the sensor")

// readThroughAgent asks the agents of this machine for a reading: two programs on one
// chip spoil each other's.
func readThroughAgent(c *cobra.Command, bus string, address uint16) (r things.Reading, sensor string, err error) {
	found, denied, err := withAgents(c.Context(), func(a *control.Agent, client *control.Client) (bool, error) {
		var err error
		r, sensor, err = agent.AskReading(c.Context(), client, bus, address)
		var answer *control.AnswerError
		if errors.As(err, &answer) && answer.Status == http.StatusNotFound || errors.Is(err, control.ErrNoOwner) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s has the sensor: %w", a, err)
		}
		fmt.Fprintf(c.ErrOrStderr(), "pithings: read by %s, which has the sensor\n", a)
		return true, nil
	})
	if found || err != nil {
		return r, sensor, err
	}
	if denied {
		fmt.Fprintf(c.ErrOrStderr(), "pithings: warning: two programs on one sensor spoil each other's readings; %v\n", control.ErrDenied)
	}
	return r, "", errNoAgent
}

// gasTries is how many measurements the heater gets to become stable in.
const gasTries = 5

// readStable measures until there is a gas value too: right after power-up the
// heater is not stable yet.
func readStable(ctx context.Context, s *things.Sensor) (r things.Reading, err error) {
	for range gasTries {
		if r, err = s.Read(); err != nil || r.Gas == r.Gas || ctx.Err() != nil {
			break
		}
	}
	return r, err
}

func printReading(w io.Writer, sensor string, r things.Reading) error {
	gas := "no value: the heater is not stable yet"
	if r.Gas == r.Gas {
		gas = fmt.Sprintf("%10.0f Ω", r.Gas)
	}
	_, err := fmt.Fprintf(w, "%s\ntemperature %10.2f °C\nhumidity    %10.3f %%RH\npressure    %10.2f hPa\ngas         %s\n",
		sensor, r.Temperature, r.Humidity, r.Pressure, gas)
	return err
}

func newReadMotion() *cobra.Command {
	var (
		o    partOptions
		pin  string
		wait time.Duration
	)
	c := &cobra.Command{
		Use:   "motion",
		Short: "Tell whether the motion sensor's line is high, or wait until it is",
		Example: `  pithings read motion --pin GPIO17
  pithings read motion --wait 30s     exit status 1 if nothing moves`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if wait < 0 {
				return usagef("--wait %v: give a time, such as 30s", wait)
			}
			detected, err := readMotion(c, &o, pin, wait)
			if err != nil {
				return err
			}
			if o.json {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", things.MotionPayload(detected))
			} else if detected {
				_, err = fmt.Fprintln(c.OutOrStdout(), "motion")
			} else {
				_, err = fmt.Fprintln(c.OutOrStdout(), "no motion")
			}
			if err == nil && wait > 0 && !detected {
				err = fmt.Errorf("no motion within %v", wait)
			}
			return err
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&pin, "pin", "g", "GPIO17", "GPIO line of the sensor, by name")
	f.DurationVar(&wait, "wait", 0, "wait so long for motion")
	return c
}

// readMotion reports whether there is motion now, or within wait: by the agent that has the
// line, if one has.
func readMotion(c *cobra.Command, o *partOptions, pin string, wait time.Duration) (bool, error) {
	denied := false
	if !o.mock {
		var answer struct {
			Motion bool `json:"isMotionDetected"`
		}
		thing, no, err := throughAgent(c, partRequest{what: "motion sensor", part: pin, did: "read", action: things.ActionRead, out: &answer,
			input: func() (map[string]any, error) { return map[string]any{"waitSeconds": wait.Seconds()}, nil }})
		if thing != "" || err != nil {
			return answer.Motion, err
		}
		denied = no
	}
	board, closeBoard, err := openBoard(o.mock, o.log(c.ErrOrStderr()))
	if err != nil {
		return false, err
	}
	defer closeBoard()
	p, err := board.OpenPin(pin)
	if err != nil {
		return false, explainBusy(err, denied)
	}
	defer p.Halt()
	return awaitMotion(c.Context(), p, wait)
}

// awaitMotion reports whether the line is high now, or becomes so within wait.
func awaitMotion(ctx context.Context, p gpio.PinIn, wait time.Duration) (bool, error) {
	// A pull-down keeps a line that is wired to nothing from seeing ghosts.
	if err := p.In(gpio.PullDown, gpio.BothEdges); err != nil {
		return false, err
	}
	for end := time.Now().Add(wait); ; {
		if p.Read() == gpio.High {
			return true, nil
		}
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			return false, ctx.Err()
		}
		p.WaitForEdge(min(left, 200*time.Millisecond)) // the level counts, not the edge
	}
}

// partOptions are the flags of commands that try one part.
type partOptions struct{ mock, json, verbose bool }

func (o *partOptions) add(f *pflag.FlagSet) {
	f.BoolVar(&o.mock, "mock", false, "simulate the part")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what happens")
}

func (o *partOptions) log(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	return newLog(w, level, false)
}
