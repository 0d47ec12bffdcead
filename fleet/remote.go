package fleet

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/fleet/internal/engine"
	"pithings/fleet/internal/playground"
)

// errNotRunning is why a device cannot be reached.
var errNotRunning = errors.New("the fleet does not run")

// errPi is why a Pi, or a rogue device, is left as it is.
var errPi = errors.New("devices of the types pi and rogue are not changed over HTTP")

// whom is which devices are meant, by their numbers.
type whom struct {
	devices []int
	name    string // of one alone; "": whoever there is
}

// errGone is why a device is not reached that a factory has deleted meanwhile.
var errGone = errors.New("the device has been deleted")

// do calls f for a device, as the engine does: nothing else happens to the device meanwhile.
func (f *Fleet) do(i int, call func(now time.Duration, d *playground.Device, out engine.Out) error) error {
	if f.devices[i] == nil {
		return errPi
	}
	err := errNotRunning
	f.engine.Do(i, func(now time.Duration, out engine.Out) { err = call(now, f.devices[i], out) })
	return err
}

// one is do for the device of a name: another one may have moved into its place since it was found.
func (f *Fleet) one(i int, name string, call func(now time.Duration, d *playground.Device, out engine.Out) error) error {
	return f.do(i, func(now time.Duration, d *playground.Device, out engine.Out) error {
		if name != "" && d.Name != name {
			return errGone
		}
		return call(now, d, out)
	})
}

// view returns how a device is.
func (f *Fleet) view(i int, name string) (v playground.View, err error) {
	err = f.one(i, name, func(_ time.Duration, d *playground.Device, _ engine.Out) error {
		v = d.View()
		return nil
	})
	return v, err
}

// configure changes devices that run. It changes none if all together would publish more than they
// may.
func (f *Fleet) configure(who whom, c playground.Change) error {
	if err := c.Check(); err != nil {
		return err
	}
	f.changes.Lock() // the rate is of all
	defer f.changes.Unlock()
	more, err := f.moreOf(who, c.Interval)
	if err != nil {
		return err
	}
	return each(who.devices, func(n, i int) error {
		mine := c
		mine.Spread = float64(n) / float64(len(who.devices))
		err := f.one(i, who.name, func(now time.Duration, d *playground.Device, _ engine.Out) error { return d.Configure(now, &mine) })
		if err != nil && more != nil {
			_ = f.budget.change(-more[n]) // less is always granted, and what was less before fitted
		}
		return err
	})
}

// moreOf notes how many messages a second devices publish more with a new interval, each of them.
func (f *Fleet) moreOf(who whom, interval time.Duration) ([]float64, error) {
	if interval == 0 {
		return nil, nil
	}
	more, all := make([]float64, len(who.devices)), 0.0
	for n, i := range who.devices {
		v, err := f.view(i, who.name)
		switch {
		case errors.Is(err, errPi):
			continue
		case err != nil:
			return nil, err
		}
		more[n] = 1/interval.Seconds() - 1/v.Interval.Seconds()
		all += more[n]
	}
	return more, f.budget.change(all)
}

// act makes devices do something, no more of them in a second than messages may be sent.
func (f *Fleet) act(ctx context.Context, who whom, a playground.Action) error {
	return each(who.devices, func(_, i int) error {
		if a.Publishes() {
			if err := f.budget.take(ctx, 1); err != nil {
				return err
			}
		}
		return f.one(i, who.name, func(_ time.Duration, d *playground.Device, out engine.Out) error { return d.Act(a, out) })
	})
}

// press presses switches.
func (f *Fleet) press(ctx context.Context, who whom, on bool) error {
	return each(who.devices, func(_, i int) error {
		if err := f.budget.take(ctx, 1); err != nil {
			return err
		}
		return f.one(i, who.name, func(_ time.Duration, d *playground.Device, out engine.Out) error { return d.Press(on, out) })
	})
}

// each calls f for devices. What only some cannot do is no error: of many devices not all are switches,
// and not all are connected.
func each(devices []int, f func(n, i int) error) error {
	var first error
	failed := 0
	for n, i := range devices {
		err := f(n, i)
		switch {
		case err == nil:
		case errors.Is(err, errStopped), errors.Is(err, errNotRunning):
			return err
		default:
			failed++
			if first == nil {
				first = err
			}
		}
	}
	switch {
	case len(devices) == 0:
		return errors.New("there are no devices: make some")
	case failed == len(devices):
		return first
	}
	return nil
}

// shadowWait bounds the wait for a shadow: brokers without a cloud answer nothing.
const shadowWait = 5 * time.Second

// shadow gets the shadow of a device.
func (f *Fleet) shadow(ctx context.Context, i int, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, shadowWait)
	defer cancel()
	got := make(chan []byte, 1)
	err := f.one(i, name, func(_ time.Duration, d *playground.Device, out engine.Out) error {
		return d.AskShadow(out, func(doc []byte) { got <- slices.Clone(doc) })
	})
	if err != nil {
		return nil, err
	}
	select {
	case doc := <-got:
		if doc == nil {
			return nil, errors.New("the device has no shadow")
		}
		return doc, nil
	case <-ctx.Done():
		return nil, errors.New("nothing answers: is there a cloud? pithings cloud is one")
	}
}

// find returns the number of a device.
func (f *Fleet) find(name string) (int, bool) {
	if f.places != nil {
		return f.places.find(name)
	}
	if f.names != nil {
		i := slices.Index(f.names, name)
		return i, i >= 0
	}
	number, ok := strings.CutPrefix(name, f.Prefix)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 1 || i > f.Devices || f.name(i-1) != name {
		return 0, false
	}
	return i - 1, true
}

// nameOf is the name of a device.
func (f *Fleet) nameOf(i int) string {
	if f.places != nil {
		return f.places.of(i).name
	}
	return f.name(i)
}

// everyone is the numbers of all devices.
func (f *Fleet) everyone() []int {
	if f.places != nil {
		return f.places.taken()
	}
	all := make([]int, f.Devices)
	for i := range all {
		all[i] = i
	}
	return all
}
