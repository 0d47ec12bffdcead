package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"time"

	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// Errors of a reading.
var (
	// ErrHangs: a file, or the disk, does not answer within the time limit.
	ErrHangs = sysfs.ErrHangs
	// ErrFormat: a file does not hold what the kernel documents for it.
	ErrFormat = errors.New("unexpected text")
)

// Failures is the error of a reading that lacks channels.
type Failures = sysfs.Failures

// DefaultTimeout is how long one file may take: all are in memory, but the
// firmware of a Pi may take a second to answer for its hwmon.
const DefaultTimeout = 5 * time.Second

// longest bounds a file. proc/net/fib_trie of a host with many networks is long.
const longest = 64 << 10

// Opts are the options of Open.
type Opts struct {
	// Disks are folders whose file system's space is measured.
	Disks []string
	// Statfs measures it; nil for statfs(2).
	Statfs func(folder string) (Space, error)
	// Throttled returns the firmware's flags of get_throttled; nil leaves out what
	// only they show.
	Throttled func() (Flags, error)
	// Timeout is how long one file may take, DefaultTimeout when zero.
	Timeout time.Duration
}

// Device is the computer. Its methods may be called from several goroutines.
type Device struct {
	opts     Opts
	groups   []group
	channels []device.Quantity
	reader   *sysfs.Reader
}

// group is what one file shows: some quantities, read together.
type group struct {
	file       string // for errors
	quantities []device.Quantity
	// read stores a value for each quantity; NaN for none.
	read func(f *sysfs.Files, values []float64) error
}

// Open looks at what the computer shows. opts may be nil.
func Open(root fs.FS, opts *Opts) *Device {
	d := &Device{}
	if opts != nil {
		d.opts = *opts
	}
	if d.opts.Statfs == nil {
		d.opts.Statfs = statfs
	}
	if d.opts.Timeout <= 0 {
		d.opts.Timeout = DefaultTimeout
	}
	files := sysfs.Files{Root: root, Max: longest}
	for _, look := range []func(*sysfs.Files) (group, bool){temperature, underVoltage, d.throttled, load, memory, uptime, radio} {
		if g, ok := look(&files); ok {
			d.groups = append(d.groups, g)
		}
	}
	taken := map[string]bool{}
	for _, folder := range d.opts.Disks {
		d.groups = append(d.groups, disk(folder, diskPrefix(folder, taken), d.opts.Statfs))
	}
	for _, g := range d.groups {
		d.channels = append(d.channels, g.quantities...)
	}
	d.reader = sysfs.NewReader(sysfs.Files{Root: root, Max: longest}, d.opts.Timeout)
	return d
}

// String names the device.
func (d *Device) String() string { return "this computer" }

// Channels returns what is measured, in the order of Read's values.
func (d *Device) Channels() []device.Quantity { return d.channels }

// Read measures everything. The values are in the order of Channels. NaN is one
// without a value: a radio that is not connected, or what could not be read; then
// err is not nil. values is nil if nothing could be read.
func (d *Device) Read(ctx context.Context) (values []float64, err error) {
	values, err = sysfs.Do(ctx, d.reader, d.read)
	if err != nil {
		err = fmt.Errorf("this computer: %w", err)
	}
	return values, err
}

func (d *Device) read(j *sysfs.Job) ([]float64, error) {
	values := make([]float64, len(d.channels))
	var failures Failures
	at := 0
	for _, g := range d.groups {
		if !j.Next(g.file) {
			return nil, context.Canceled
		}
		part := values[at : at+len(g.quantities)]
		at += len(part)
		failures = append(failures, g.measure(j.Files, part)...)
	}
	switch {
	case len(failures) == 0:
		return values, nil
	case len(failures) == len(values):
		return nil, failures
	}
	return values, failures
}

// measure stores the group's values, NaN for those that it lacks.
func (g *group) measure(f *sysfs.Files, values []float64) (failures Failures) {
	for i := range values {
		values[i] = math.NaN()
	}
	err := g.read(f, values)
	for i, q := range g.quantities {
		why := err
		if err == nil && !math.IsNaN(values[i]) && !q.Plausible(values[i]) {
			why = fmt.Errorf("%w: %g %s is implausible", ErrFormat, values[i], q.Unit)
		}
		if why != nil {
			values[i] = math.NaN()
			failures = append(failures, sysfs.Failure{Channel: q.Name, Err: why})
		}
	}
	return failures
}

// exists reports whether there is a file.
func exists(f *sysfs.Files, name string) bool {
	_, err := fs.Stat(f.Root, name)
	return err == nil
}

// entries lists a folder's files: their paths.
func entries(f *sysfs.Files, dir string) []string {
	list, _ := fs.ReadDir(f.Root, dir)
	var paths []string
	for _, e := range list {
		paths = append(paths, path.Join(dir, e.Name()))
	}
	return paths
}
