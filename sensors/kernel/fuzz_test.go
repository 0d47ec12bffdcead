package kernel

import (
	"strings"
	"testing"
	"testing/fstest"

	"pithings/sensors/internal/sysfs"
)

func FuzzSlaveFile(f *testing.F) {
	f.Add("50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n")
	f.Add("YES\nt=")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseSlave([]byte(text))
		if err == nil && (v-v != 0 || !strings.Contains(text, "YES") || !strings.Contains(text, "t=")) {
			t.Errorf("%q is %v", text, v)
		}
	})
}

// Whatever a device's files are called and hold, its quantities have names of
// their own, and reading them ends.
func FuzzDevice(f *testing.F) {
	f.Add("in_voltage0_raw", "12", "in_voltage0_label", "Battery")
	f.Add("in_voltage0-voltage1_raw", "1", "in_voltage-voltage_scale", "0.1")
	f.Add("temp1_input", "20000", "temp1_fault", "1")
	f.Add("in_temp_x_raw", "nan", "in_temp_offset", "1 2")
	f.Add("in_temp___raw", "1", "in_temp_sefoft", "1")
	f.Fuzz(func(t *testing.T, file, text, other, more string) {
		for _, dir := range []string{"sys/bus/iio/devices/iio:device0/", "sys/class/hwmon/hwmon0/"} {
			root := fstest.MapFS{
				dir + "name":           {Data: []byte("part")},
				dir + "in_temp_input":  {Data: []byte("1")},
				dir + "temp1_input":    {Data: []byte("1")},
				dir + "in_temp1_input": {Data: []byte("1")},
			}
			for name, data := range map[string]string{file: text, other: more} {
				if name != "" && !strings.ContainsAny(name, "/.") {
					root[dir+name] = &fstest.MapFile{Data: []byte(data)}
				}
			}
			d, err := Open(root, "part", nil)
			if err != nil {
				continue // the fuzzer changed its name
			}
			names := map[string]bool{}
			for _, q := range d.Channels() {
				if names[q.Name] || q.Name == "" || sysfs.Name(q.Name) != q.Name && len(q.Name) <= sysfs.LongestName {
					t.Errorf("the name %q among %v", q.Name, d.Channels())
				}
				names[q.Name] = true
			}
			values, err := d.Read(t.Context())
			for i, q := range d.Channels() {
				if values != nil && err == nil && !q.Plausible(values[i]) {
					t.Errorf("%s is %v", q.Name, values[i])
				}
			}
		}
	})
}
