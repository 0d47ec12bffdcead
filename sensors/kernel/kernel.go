package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"syscall"
	"time"

	"pithings/device"
	"pithings/hw"
	"pithings/sensors/internal/sysfs"
)

// Failures is the error of a reading that lacks channels.
type Failures = sysfs.Failures

// ErrHangs is the error of a file that does not answer within the time limit.
var ErrHangs = sysfs.ErrHangs

// DefaultTimeout is how long one file may take: a DS18B20 measures for 750 ms,
// an I²C adapter ends a transfer after a second, and some drivers try again.
const DefaultTimeout = 5 * time.Second

// Opts are the options of Open.
type Opts struct {
	// Timeout is how long one file may take, DefaultTimeout when zero.
	Timeout time.Duration
}

// Device is an open sensor. Its methods may be called from several goroutines.
type Device struct {
	root   fs.FS
	sensor *Sensor
	paths  []string // of the channels' files, for errors
	reader *sysfs.Reader
	pause  time.Duration // before the second attempt; 0 makes none
	last   []float64     // the values before; of who reads
}

// Open finds the sensor that answers to name. opts may be nil.
func Open(root fs.FS, name string, opts *Opts) (*Device, error) {
	s, err := Find(root, name)
	if err != nil {
		return nil, err
	}
	dir, err := fs.Sub(root, s.dir)
	if err != nil {
		return nil, fmt.Errorf("kernel sensor %q: %w", name, err)
	}
	d := &Device{root: root, sensor: s, last: make([]float64, len(s.channels))}
	limit := DefaultTimeout
	if opts != nil && opts.Timeout > 0 {
		limit = opts.Timeout
	}
	d.reader = sysfs.NewReader(sysfs.Files{Root: dir}, limit)
	for i := range d.last {
		d.last[i] = math.NaN()
		d.paths = append(d.paths, s.dir+"/"+s.channels[i].value)
	}
	if slices.Contains(s.Names, "dht11") {
		d.pause = dhtPause
	}
	return d, nil
}

// dhtPause is the time that a DHT22 needs between two readings (AM2302
// datasheet); a DHT11 needs one second of it. The driver keeps a good reading for
// as long (drivers/iio/humidity/dht11.c, DHT11_DATA_VALID_TIME), but after a bad
// one it would measure anew at once.
const dhtPause = 2 * time.Second

// String names the sensor.
func (d *Device) String() string { return d.sensor.String() }

// Sensor describes the sensor, as it was when it was opened.
func (d *Device) Sensor() Sensor { return *d.sensor }

// Channels returns what the sensor measures, in the order of Read's values.
func (d *Device) Channels() []device.Quantity { return d.sensor.Channels }

// Read reads all channels, which takes as long as the sensor measures. The
// values are in the order of Channels; NaN is one that could not be read, and
// then err is not nil. values is nil if none could be read.
//
// [hw.ErrGone] says that the sensor vanished, or that another is in its place:
// open it again. After any other error Read can be called again.
func (d *Device) Read(ctx context.Context) (values []float64, err error) {
	values, err = sysfs.Do(ctx, d.reader, d.read)
	if err != nil {
		err = fmt.Errorf("kernel sensor %s: %w", d.sensor.Name, err)
	}
	return values, err
}

func (d *Device) read(j *sysfs.Job) ([]float64, error) {
	if !j.Next(d.sensor.Path) {
		return nil, context.Canceled
	}
	if err := d.present(j); err != nil {
		return nil, err
	}
	values, err := d.attempt(j)
	if d.pause > 0 && missed(err) && j.Wait(d.pause) {
		values, err = d.attempt(j)
	}
	return values, err
}

// present returns hw.ErrGone unless the sensor's folder is still that of the
// sensor that was opened.
func (d *Device) present(j *sysfs.Job) error {
	s := d.sensor
	if s.link != "" {
		if link, err := fs.ReadLink(d.root, s.Path); err != nil || link != s.link {
			return fmt.Errorf("%w: %s has left", hw.ErrGone, s.Path)
		}
		return nil
	}
	// A folder that imitates sysfs may be without links, and without names.
	if s.nameFile == "" {
		if _, err := fs.Stat(d.root, s.Path); err != nil {
			return fmt.Errorf("%w: %s has left", hw.ErrGone, s.Path)
		}
		return nil
	}
	if text, err := j.Text(s.nameFile); err != nil || !slices.Contains(s.Names, string(text)) {
		return fmt.Errorf("%w: %s has left", hw.ErrGone, s.Path)
	}
	return nil
}

// attempt reads the channels once.
func (d *Device) attempt(j *sysfs.Job) ([]float64, error) {
	values := make([]float64, len(d.sensor.channels))
	var failures sysfs.Failures
	for i := range values {
		c := &d.sensor.channels[i]
		if !j.Next(d.paths[i]) {
			return nil, context.Canceled
		}
		v, err := c.read(j, d.last[i])
		if err != nil {
			v = math.NaN()
			failures = append(failures, sysfs.Failure{Channel: c.quantity.Name, Err: err})
		} else {
			d.last[i] = v
		}
		values[i] = v
		if missed(err) && d.pause > 0 {
			// The next channel would start another transfer too early.
			return nil, failures
		}
	}
	switch {
	case len(failures) == 0:
		return values, nil
	case vanished(failures):
		return nil, fmt.Errorf("%w: %w", hw.ErrGone, failures)
	case len(failures) == len(values):
		return nil, failures
	}
	return values, failures
}

// missed reports whether a transfer of a DHT11 or DHT22 went wrong: too few
// edges (ETIMEDOUT), or a wrong checksum (EIO).
func missed(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ETIMEDOUT)
}

// vanished reports whether the device went away while it was read.
func vanished(failures Failures) bool {
	for _, f := range failures {
		if errors.Is(f.Err, fs.ErrNotExist) || errors.Is(f.Err, syscall.ENODEV) {
			return true
		}
	}
	return false
}
