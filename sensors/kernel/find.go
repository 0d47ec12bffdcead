package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"pithings/device"
	"pithings/hw"
	"pithings/sensors/internal/sysfs"
)

// ErrAmbiguous is the error of a name to which several sensors answer.
var ErrAmbiguous = errors.New("several sensors have this name")

// Sensor is a sensor that the kernel shows.
type Sensor struct {
	// Name is what to write for it: the shortest name that no other sensor has.
	Name string
	// Kind is iio, hwmon, w1 or thermal.
	Kind string
	// Names are all that it answers to, and with "@" and its Address or Node.
	Names []string
	// Address is that of the device on its bus: "1-0048" is address 0x48 of I²C
	// bus 1. "" if it has none.
	Address string
	// Node is its path in the device tree: "/soc/i2c@7e804000/ads1115@48".
	Node string
	// Path is where the kernel shows it now: below the root folder, for people.
	Path string
	// Channels are what it measures.
	Channels []device.Quantity

	link     string // where Path leads, if it is a link
	dir      string // the folder of the channels' files: Path, or one in it
	nameFile string
	channels []channel
}

// class is a folder in which the kernel shows sensors of a kind.
type class struct {
	kind, dir, nameFile string
	entry               *regexp.Regexp
	channels            func(*folder) []channel
}

var classes = []class{
	{"iio", "sys/bus/iio/devices", "name", regexp.MustCompile(`^iio:device[0-9]+$`), iioChannels},
	{"hwmon", "sys/class/hwmon", "name", regexp.MustCompile(`^hwmon[0-9]+$`), hwmonChannels},
	{"w1", "sys/bus/w1/devices", "name", w1Number, w1Channels},
	{"thermal", "sys/class/thermal", "type", regexp.MustCompile(`^thermal_zone[0-9]+$`), thermalChannels},
}

// most bounds the sensors that are looked at.
const most = 256

// List returns the sensors below root, by kind and place. It reads no values. An
// error is of a class that cannot be listed, beside what the others have.
func List(root fs.FS) ([]Sensor, error) {
	var list []Sensor
	var failed []error
	files := &sysfs.Files{Root: root}
	for _, c := range classes {
		entries, err := fs.ReadDir(root, c.dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no driver of that class
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("list the kernel's %s sensors: %w", c.kind, err))
		}
		for _, e := range entries {
			if !c.entry.MatchString(e.Name()) || len(list) >= most {
				continue
			}
			if s, ok := look(files, c, e.Name()); ok {
				list = append(list, s)
			}
		}
	}
	label(list)
	return list, errors.Join(failed...)
}

// look reads what a folder shows; false if it is no sensor, or one that another
// class shows too.
func look(files *sysfs.Files, c class, entry string) (s Sensor, ok bool) {
	s = Sensor{Kind: c.kind, Path: path.Join(c.dir, entry)}
	s.link, _ = fs.ReadLink(files.Root, s.Path)
	switch address := parent(s.link); {
	case c.kind == "w1":
		if w1Chip(entry) == "" {
			return s, false
		}
	case c.kind == "hwmon" && (strings.HasPrefix(address, "thermal_zone") || w1Number.MatchString(address)):
		return s, false
	default:
		s.Address = address
	}
	f, err := openFolder(files, s.Path)
	if err != nil {
		return s, false // it has gone meanwhile
	}
	s.channels = c.channels(f)
	if inner := s.Path + "/device"; len(s.channels) == 0 && c.kind == "hwmon" {
		// Chips of old drivers show their values in the device's own folder.
		if old, err := openFolder(files, inner); err == nil && old.names["name"] {
			f, s.channels = old, c.channels(old)
		}
	}
	if len(s.channels) == 0 {
		return s, false
	}
	s.dir, s.nameFile = f.path, f.has(c.nameFile)
	s.Node = node(files.Root, s.Path)
	s.Names = names(f, c, entry, s.Node)
	name(s.channels)
	for i := range s.channels {
		s.Channels = append(s.Channels, s.channels[i].quantity)
	}
	return s, true
}

// node returns a device's path in the device tree, or "".
func node(root fs.FS, dir string) string {
	for _, link := range []string{dir + "/of_node", dir + "/device/of_node"} {
		target, err := fs.ReadLink(root, link)
		if err != nil {
			continue
		}
		if _, p, found := strings.Cut(target, "/devicetree/base/"); found {
			return "/" + p
		}
	}
	return ""
}

// alias are chips whose driver has another's name.
var alias = map[string][]string{
	"dht11": {"dht22", "am2302"}, // drivers/iio/humidity/dht11.c serves all of them
}

// names lists what a sensor answers to, the best first: its label, that in the
// device tree, the driver's name for it, its node's name, and the chips with
// which it is compatible.
func names(f *folder, c class, entry, node string) []string {
	list := []string{f.text("label"), f.text("of_node/label")}
	if c.kind == "w1" {
		list = append(list, entry, w1Chip(entry))
	}
	driver := f.text(c.nameFile)
	// A platform device's name has its address behind it: dht11@4.
	short, _, _ := strings.Cut(driver, "@")
	list = append(list, short, driver)
	list = append(list, alias[short]...)
	if node != "" {
		list = append(list, f.text("of_node/name"), path.Base(node))
		for chip := range strings.SplitSeq(f.text("of_node/compatible"), "\x00") {
			_, model, _ := strings.Cut(chip, ",")
			list = append(list, model)
		}
	}
	const longest = 128
	var out []string
	for _, n := range list {
		if n != "" && len(n) <= longest && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// label gives each sensor the first name that is its own, or its first with what
// distinguishes it from the others.
func label(list []Sensor) {
	owners := map[string]int{}
	for i := range list {
		for _, n := range list[i].Names {
			owners[n]++
		}
	}
	for i := range list {
		s := &list[i]
		if own := slices.IndexFunc(s.Names, func(n string) bool { return owners[n] == 1 }); own >= 0 {
			s.Name = s.Names[own]
		} else if len(s.Names) > 0 {
			s.Name = s.Names[0]
			if place := s.place(); place != "" {
				s.Name += "@" + place
			}
		}
	}
}

func (s *Sensor) place() string {
	if s.Address != "" {
		return s.Address
	}
	return s.Node
}

// answers reports whether a sensor answers to a name.
func (s *Sensor) answers(name string) bool {
	for _, n := range s.Names {
		rest, found := strings.CutPrefix(name, n)
		if !found {
			continue
		}
		place, at := strings.CutPrefix(rest, "@")
		if rest == "" || at && place != "" && (place == s.Address || place == s.Node) {
			return true
		}
	}
	return false
}

// String describes a sensor in a few words: "lm75@1-0048 (hwmon, /soc/…)".
func (s *Sensor) String() string {
	text := s.Name + " (" + s.Kind
	if s.Node != "" {
		text += ", " + s.Node
	}
	return text + ")"
}

// Find returns the sensor that answers to a name. A name of none returns
// [hw.ErrNotFound], one of several [ErrAmbiguous]; both list what there is.
func Find(root fs.FS, name string) (*Sensor, error) {
	list, err := List(root)
	var found, all []string
	at := -1
	for i := range list {
		all = append(all, list[i].String())
		if list[i].answers(name) {
			at = i
			found = append(found, list[i].String())
		}
	}
	switch {
	case len(found) == 1:
		return &list[at], nil
	case len(found) == 0 && err != nil:
		return nil, fmt.Errorf("kernel sensor %q: %w", name, err)
	case len(found) > 1:
		return nil, fmt.Errorf("kernel sensor %q: %w; write one of %s", name, ErrAmbiguous, strings.Join(found, ", "))
	case numbered.MatchString(path.Base(name)):
		return nil, fmt.Errorf("kernel sensor %q: %w: that number changes with the order in which drivers load; write one of %s", name, hw.ErrNotFound, listed(all))
	}
	return nil, fmt.Errorf("kernel sensor %q: %w; the kernel shows %s", name, hw.ErrNotFound, listed(all))
}

// numbered are the names that the kernel gives by number.
var numbered = regexp.MustCompile(`^(iio:device|hwmon|thermal_zone)[0-9]+$`)

func listed(all []string) string {
	const longest = 20
	switch {
	case len(all) == 0:
		return "none: load its driver, on a Pi with a dtoverlay in config.txt"
	case len(all) > longest:
		return strings.Join(all[:longest], ", ") + fmt.Sprintf(" and %d more", len(all)-longest)
	}
	return strings.Join(all, ", ")
}
