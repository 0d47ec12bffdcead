package button_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/sensors/button"
)

func Example() {
	// A line with a hand on it, so that this example runs anywhere. On a board it comes
	// from gpioreg.ByName.
	pin := &line{PinIn: gpio.INVALID, level: gpio.High}

	d, err := button.New(pin, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Halt()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = d.Watch(ctx, func(e button.Event) {
		fmt.Println(e.Kind)
		switch e.Kind {
		case button.Off:
			pin.level = gpio.Low // presses the button
		case button.Pressed:
			pin.level = gpio.High
		case button.Released:
			cancel()
		}
	})
	// Output:
	// off
	// on
	// pressed
	// off
	// released
}

// line is a line with a level.
type line struct {
	gpio.PinIn
	level gpio.Level
}

func (l *line) In(gpio.Pull, gpio.Edge) error { return nil }
func (l *line) Halt() error                   { return nil }
func (l *line) Read() gpio.Level              { return l.level }

func (l *line) WaitForEdge(timeout time.Duration) bool {
	time.Sleep(min(timeout, 5*time.Millisecond))
	return false
}
