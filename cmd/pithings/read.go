package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"periph.io/x/conn/v3/gpio"

	"pithings/agent/config"
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
		address config.Address
	)
	c := &cobra.Command{
		Use:     "bme680",
		Short:   "Read temperature, humidity, pressure and gas resistance",
		Example: "  pithings read bme680\n  pithings read bme680 --mock --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			board, closeBoard, err := openBoard(o.mock, o.log(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer closeBoard()
			s, err := things.OpenSensor(board, bus, uint16(address), nil)
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := readStable(c.Context(), s)
			if err != nil {
				return err
			}
			if o.json {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", r.State())
				return err
			}
			return printReading(c.OutOrStdout(), s.String(), r)
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&bus, "bus", "b", "1", "I²C bus: a number, a device or an adapter's name")
	f.TextVar(&address, "address", config.Address(0), "0x76, 0x77, or auto")
	return c
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
			log := o.log(c.ErrOrStderr())
			board, closeBoard, err := openBoard(o.mock, log)
			if err != nil {
				return err
			}
			defer closeBoard()
			p, err := board.OpenPin(pin)
			if err != nil {
				return err
			}
			defer p.Halt()
			detected, err := awaitMotion(c.Context(), p, wait)
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

// awaitMotion tells whether the line is high now, or becomes so within wait.
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
	return newLog(w, level)
}
