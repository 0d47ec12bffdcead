package things

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode"

	"pithings/conf"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/sensors/kernel"
)

// kernelKind is any sensor for which Linux has a driver: industrial I/O, hwmon, 1-wire and
// thermal zones. What it measures is known when it is opened.
var kernelKind = &Kind{
	Name: "kernel", Doc: "any sensor that Linux has a driver for", Example: "attic", Routine: true,
	Topics: meterTopics("23.6", "°C, %, hPa, lx, V, A, W, m …: the unit of the quantity (pithings discover)"),
	New:    func() Settings { return new(KernelSettings) },

	Discover: discoverKernel,
}

// KernelSettings are what a configuration says of a sensor of the kernel.
type KernelSettings struct {
	Device   string        `json:"device" required:"write the sensor's name, as pithings discover shows it" part:"sensor" change:"local" jsonschema:"sensor by the name of its driver, its label or its name in the device tree: dht11, lm75@1-0048, 28-0316a2795ff1; never by a number such as hwmon0; mock simulates a DHT22, mock:ina219, mock:ds18b20 and mock:cpu others"`
	Interval conf.Duration `json:"interval" default:"10s" min:"1s" max:"24h" change:"afar" jsonschema:"time between measurements"`
	Timeout  conf.Duration `json:"timeout" default:"5s" min:"100ms" max:"1m" change:"afar" jsonschema:"time for one value of the sensor's driver"`
	Sysfs    string        `json:"sysfs" expand:"path" form:"folder" change:"local" jsonschema:"folder with a copy of sys, in which the sensor is looked up in place of this machine's; empty: this machine"`
}

// Part implements Settings.
func (s *KernelSettings) Part() (key, name string) { return "device", s.Device }

// Simulate implements Settings.
func (s *KernelSettings) Simulate() { s.Device = "mock" }

// discoverKernel returns the sensors that the kernel shows.
func discoverKernel(c *probe.Connected) (all []Candidate) {
	if c.Kernel == nil {
		return nil
	}
	sensors, _ := kernel.List(c.Kernel) // who lists them reports which could not be listed
	for i := range sensors {
		s := new(KernelSettings)
		conf.Fill(s)
		s.Device = sensors[i].Name
		all = append(all, Candidate{Part: s.Device, Name: sensorName(s.Device), Settings: s})
	}
	return all
}

// sensorName returns a name for a thing: that of the sensor, without its place on a bus.
func sensorName(sensor string) string {
	name, _, _ := strings.Cut(sensor, "@")
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r == '_' {
			return r
		}
		return '-'
	}, name), "-")
	return cmp.Or(name[:min(len(name), 64)], "sensor")
}

// Describe implements Settings.
func (s *KernelSettings) Describe(t Topics) Description { return describeMeter(t, s.Interval.Duration) }

// Open implements Settings.
func (s *KernelSettings) Open(o Options, e Env) (Thing, error) {
	origin, _, _ := strings.Cut(s.Device, "@")
	return newMeter(kernelKind, o, e, s.Interval.Duration, origin, patient(func() (gauge, error) { return s.open(e.Board) }))
}

// patient returns a function that calls open, and waits for it no longer than for a value: a
// driver's file may hang while the sensor is looked up. There is one call at a time, however
// long it takes, and its result is that of a later wait.
func patient(open func() (gauge, error)) func(context.Context) (gauge, error) {
	type result struct {
		gauge
		err   error
		panic any
	}
	var pending chan result // nil: there is no call
	return func(ctx context.Context) (gauge, error) {
		if pending == nil {
			done := make(chan result, 1)
			go func() {
				var r result
				defer func() {
					// Run's caller contains a panic, in its own goroutine.
					if p := recover(); p != nil {
						r.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
					}
					done <- r
				}()
				r.gauge, r.err = open()
			}()
			pending = done
		}
		late := time.NewTimer(kernel.DefaultTimeout)
		defer late.Stop()
		select {
		case r := <-pending:
			pending = nil
			if r.panic != nil {
				panic(r.panic)
			}
			return r.gauge, r.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-late.C:
			return nil, fmt.Errorf("the kernel, asked for its sensors, %w; dmesg may show which driver waits", kernel.ErrHangs)
		}
	}
}

func (s *KernelSettings) open(board hw.Board) (gauge, error) {
	files, err := kernelFiles(board, s.Sysfs, s.Device)
	if err != nil {
		return nil, err
	}
	d, err := kernel.Open(files, s.Device, &kernel.Opts{Timeout: s.Timeout.Duration})
	return numberGauge{d}, err
}

// Probe implements Settings. A reading disturbs no other program: the driver makes one at a time.
func (s *KernelSettings) Probe(ctx context.Context, p *probe.Prober, part string) []probe.Result {
	d, err := s.open(p.Board)
	if err != nil {
		fix := "write one of these names as the thing's device in the configuration"
		if !errors.Is(err, hw.ErrNotFound) && !errors.Is(err, kernel.ErrAmbiguous) {
			fix = "look at dmesg: the kernel says there what is wrong with the driver"
		}
		return []probe.Result{probe.Failure(part, err, fix)}
	}
	values, err := d.Read(ctx)
	if values == nil {
		return []probe.Result{probe.Failure(part, err, "check the sensor's wiring; dmesg may show what its driver met")}
	}
	return []probe.Result{probe.Found(part, "%s: %s", d, shown(d.Channels(), values))}
}
