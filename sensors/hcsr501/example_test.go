package hcsr501_test

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3"

	"pithings/sensors/hcsr501"
)

func Example() {
	// A line that is high until it is noticed, so that this example runs anywhere. On a
	// board it comes from gpioreg.ByName.
	line := &pulse{PinIn: gpio.INVALID, level: gpio.High}

	d, err := hcsr501.New(line, &hcsr501.Opts{Debounce: 5 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Halt()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = d.Watch(ctx, func(e hcsr501.Event) {
		fmt.Println(e.Kind)
		switch e.Kind {
		case hcsr501.Began:
			line.level = gpio.Low
		case hcsr501.Ended:
			cancel()
		}
	})
	// Output:
	// motion began
	// motion ended
}

func ExampleDev_Watch() {
	// Make sure periph is initialized.
	if _, err := host.Init(); err != nil {
		log.Fatal(err)
	}
	p := gpioreg.ByName("GPIO17")
	if p == nil {
		log.Fatal("no GPIO17")
	}
	d, err := hcsr501.New(p, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Halt()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	err = d.Watch(ctx, func(e hcsr501.Event) {
		fmt.Println(e.Time.Format(time.TimeOnly), e.Kind)
	})
	log.Print(err)
}

// pulse is a line with a level.
type pulse struct {
	gpio.PinIn
	level gpio.Level
}

func (p *pulse) In(gpio.Pull, gpio.Edge) error { return nil }
func (p *pulse) Halt() error                   { return nil }
func (p *pulse) Read() gpio.Level              { return p.level }

func (p *pulse) WaitForEdge(timeout time.Duration) bool {
	time.Sleep(min(timeout, 2*time.Millisecond))
	return true
}
