package mock

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The simulated sensors of the kernel, for [Sysfs]'s methods and as names after
// "mock:".
const (
	DHT22   = "dht22"   // industrial I/O: temperature and humidity
	INA219  = "ina219"  // hwmon: voltage, current and power
	DS18B20 = "ds18b20" // 1-wire: temperature
	CPU     = "cpu"     // a thermal zone
)

// Sysfs is what the simulated kernel shows of its sensors and of itself, in
// files as a Pi has them. Their values wander slowly.
type Sysfs struct {
	date    func(time.Time) time.Time // what the board's calendar said
	mu      sync.Mutex
	sensors []*sensor
	fails   map[string]error         // by file
	hangs   map[string]chan struct{} // by file; closed when it no longer hangs
	texts   map[string]string        // by file: what it holds instead
}

// sensor is a folder of files.
type sensor struct {
	name   string // as after "mock:"
	also   string // the name that the kernel gives it
	folder string // with a place for its number, if it has one
	number int
	gone   bool
	files  map[string]func(time.Time) string
}

func (s *sensor) dir() string {
	if strings.Contains(s.folder, "%d") {
		return fmt.Sprintf(s.folder, s.number)
	}
	return s.folder
}

func newSysfs(seed uint64, date func(time.Time) time.Time) *Sysfs {
	air := func(t time.Time) Weather { return wander(seed, t) }
	load := func(t time.Time) float64 { return 180 + 60*wave(seed+10, 11*time.Minute, t) } // mA
	bus := func(t time.Time) float64 {                                                     // mV
		return math.Round((5060-load(t)/10)/4) * 4 // steps of 4 mV (INA219 datasheet, §8.5.1)
	}
	s := &Sysfs{date: date, fails: map[string]error{}, hangs: map[string]chan struct{}{}, texts: map[string]string{}}
	s.sensors = []*sensor{
		{name: DHT22, also: "dht11@4", folder: "sys/bus/iio/devices/iio:device%d", files: map[string]func(time.Time) string{
			"name":                      same("dht11@4"),
			"in_temp_input":             func(t time.Time) string { return steps(1000*air(t).Temperature, 100) },
			"in_humidityrelative_input": func(t time.Time) string { return steps(1000*air(t).Humidity, 100) },
		}},
		{name: INA219, also: "ina219", folder: "sys/class/hwmon/hwmon%d", files: map[string]func(time.Time) string{
			"name":           same("ina219"),
			"shunt_resistor": same("100000"), // µΩ
			"in0_input":      func(t time.Time) string { return steps(load(t)/10, 1) },
			"in1_input":      func(t time.Time) string { return steps(bus(t), 1) },
			"curr1_input":    func(t time.Time) string { return steps(load(t), 1) },
			"power1_input":   func(t time.Time) string { return steps(load(t)*bus(t), 20000) },
		}},
		{name: "rpi_volt", also: "rpi_volt", number: 1, folder: "sys/class/hwmon/hwmon%d", files: map[string]func(time.Time) string{
			"name": same("rpi_volt"), "in0_lcrit_alarm": same("0"),
		}},
		{name: DS18B20, also: "28-0316a2794f5b", folder: "sys/bus/w1/devices/28-0316a2794f5b", files: map[string]func(time.Time) string{
			"name":        same("28-0316a2794f5b"),
			"temperature": func(t time.Time) string { return steps(1000*(wander(seed+20, t).Temperature-9), 62.5) },
		}},
		{name: CPU, also: "cpu-thermal", folder: "sys/class/thermal/thermal_zone%d", files: map[string]func(time.Time) string{
			"type": same("cpu-thermal"),
			"temp": func(t time.Time) string { return steps(47000+4000*wave(seed+30, 17*time.Minute, t), 487) },
		}},
		{name: "proc", also: "proc", folder: "proc", files: map[string]func(time.Time) string{
			"loadavg": func(t time.Time) string {
				l := 0.4 + 0.3*wave(seed+31, 7*time.Minute, t)
				return fmt.Sprintf("%.2f %.2f %.2f 1/123 4567", l, 0.4+(l-0.4)/2, 0.4+(l-0.4)/4)
			},
			"meminfo": func(t time.Time) string {
				return fmt.Sprintf("MemTotal:         442292 kB\nMemFree:           81236 kB\nMemAvailable:   %8.0f kB", 270000+20000*wave(seed+32, 43*time.Minute, t))
			},
			"uptime": func(t time.Time) string { return fmt.Sprintf("%.2f 0.00", float64(t.UnixMilli()%1e10)/1000) },
			"net/wireless": func(t time.Time) string {
				return "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n" +
					" face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n" +
					fmt.Sprintf(" wlan0: 0000   %.0f.  %.0f.  -256        0      0      0      0      0        0", 55+3*wave(seed+33, 5*time.Minute, t), -55+3*wave(seed+33, 5*time.Minute, t))
			},
		}},
	}
	return s
}

func same(text string) func(time.Time) string { return func(time.Time) string { return text } }

// wave swings between -1 and 1.
func wave(seed uint64, period time.Duration, t time.Time) float64 {
	return math.Sin(2 * math.Pi * (float64(t.UnixMilli())/1000/period.Seconds() + unit(seed)))
}

// steps is the whole number that a part with that resolution reports.
func steps(v, step float64) string { return fmt.Sprintf("%d", int(math.Round(v/step)*step)) }

// Unplug takes a sensor's folder away.
func (s *Sysfs) Unplug(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sensor(name).gone = true
}

// Replug brings it back, under the next number, as the kernel may do.
func (s *Sysfs) Replug(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	part := s.sensor(name)
	part.gone = false
	part.number += len(s.sensors)
}

// Fail lets reads of a sensor's file fail until err is nil, for example with
// syscall.EIO, as a DHT22's do now and then.
func (s *Sysfs) Fail(name, file string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[s.sensor(name).name+"/"+file] = err
}

// Hang lets reads of a sensor's file block, as those of a driver that waits for
// a part which does not answer.
func (s *Sysfs) Hang(name, file string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.sensor(name).name + "/" + file
	if c := s.hangs[key]; c != nil {
		close(c)
		delete(s.hangs, key)
	}
	if on {
		s.hangs[key] = make(chan struct{})
	}
}

// Set gives a sensor's file another text than the simulated one; "" ends it.
func (s *Sysfs) Set(name, file, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[s.sensor(name).name+"/"+file] = text
}

// sensor is the one that a name stands for: the DHT22 if it is none's. s.mu is held.
func (s *Sysfs) sensor(name string) *sensor {
	name = strings.TrimPrefix(name, "mock:")
	for _, part := range s.sensors {
		if part.name == name || part.also == name {
			return part
		}
	}
	return s.sensors[0]
}

// view is what the reader of the sensor called name sees: all of them, and on
// the one meant that name as its label, so that every name exists.
type view struct {
	*Sysfs
	name string
}

func (v view) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.date(time.Now())
	children := map[string]bool{} // whether they are folders
	for _, part := range v.sensors {
		if part.gone {
			continue
		}
		dir := part.dir()
		for base, value := range part.files {
			if file := dir + "/" + base; file == name {
				return v.file(part, base, value(now)), nil
			} else if rest, inside := strings.CutPrefix(file, name+"/"); inside || name == "." {
				if name == "." {
					rest = file
				}
				child, _, deeper := strings.Cut(rest, "/")
				children[child] = deeper
			}
		}
		if v.labelled(part) {
			switch name {
			case dir + "/label":
				return v.file(part, "label", v.name), nil
			case dir:
				children["label"] = false
			}
		}
	}
	if len(children) == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return newFolder(name, children), nil
}

// ReadLink finds no link: there are none. It is part of the contract.
func (v view) ReadLink(name string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
}

// Lstat describes a file or folder.
func (v view) Lstat(name string) (fs.FileInfo, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// labelled reports whether a sensor carries the view's name as its label.
func (v view) labelled(part *sensor) bool {
	return part == v.sensor(v.name) && v.name != part.also && v.name != ""
}

func (v view) file(part *sensor, base, text string) fs.File {
	key := part.name + "/" + base
	if other := v.texts[key]; other != "" {
		text = other
	}
	return &file{info: info{base, 0o444}, text: text + "\n", fail: v.fails[key], hang: v.hangs[key]}
}

// info describes a file or folder.
type info struct {
	name string
	mode fs.FileMode
}

func (i info) Name() string               { return i.name }
func (i info) Size() int64                { return 4096 } // as sysfs reports all its files
func (i info) Mode() fs.FileMode          { return i.mode }
func (i info) ModTime() time.Time         { return time.Time{} }
func (i info) IsDir() bool                { return i.mode.IsDir() }
func (i info) Sys() any                   { return nil }
func (i info) Type() fs.FileMode          { return i.mode.Type() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }

type file struct {
	info
	text string
	fail error
	hang chan struct{}
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(buf []byte) (int, error) {
	if f.hang != nil {
		<-f.hang
	}
	if f.fail != nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: f.fail}
	}
	if f.text == "" {
		return 0, io.EOF
	}
	n := copy(buf, f.text)
	f.text = f.text[n:]
	return n, nil
}

type folder struct {
	info
	entries []fs.DirEntry // not yet read
}

func newFolder(name string, children map[string]bool) *folder {
	d := &folder{info: info{name[strings.LastIndexByte(name, '/')+1:], fs.ModeDir | 0o555}}
	for child, isDir := range children {
		mode := fs.FileMode(0o444)
		if isDir {
			mode = fs.ModeDir | 0o555
		}
		d.entries = append(d.entries, info{child, mode})
	}
	sort.Slice(d.entries, func(i, j int) bool { return d.entries[i].Name() < d.entries[j].Name() })
	return d
}

func (d *folder) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *folder) Close() error               { return nil }

func (d *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: syscall.EISDIR}
}

func (d *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	list := d.entries[:n]
	d.entries = d.entries[n:]
	return list, nil
}
