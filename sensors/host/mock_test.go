package host_test

import (
	"fmt"
	"log"
	"strings"
	"testing"

	"pithings/hw/mock"
	"pithings/sensors/host"
)

// The simulated board is a computer, too.
func TestMock(t *testing.T) {
	board := mock.New(mock.Options{})
	t.Cleanup(func() { _ = board.Close() })
	root, err := board.Sysfs("mock")
	if err != nil {
		t.Fatal(err)
	}
	d := host.Open(root, nil)
	values, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, q := range d.Channels() {
		names = append(names, q.Name)
		if !q.Plausible(values[i]) {
			t.Errorf("%s is %v", q.Name, values[i])
		}
	}
	const want = "cpu_temperature under_voltage load_1 load_5 load_15 memory_total memory_available memory_used uptime signal_strength"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("it measures %s\nwant %s", got, want)
	}
}

func Example() {
	board := mock.New(mock.Options{})
	defer board.Close()
	root, err := board.Sysfs("mock")
	if err != nil {
		log.Fatal(err)
	}
	dev := host.Open(root, nil)
	for _, q := range dev.Channels()[:3] {
		fmt.Printf("%s in %q\n", q.Name, q.Unit)
	}
	// Output:
	// cpu_temperature in "°C"
	// under_voltage in ""
	// load_1 in ""
}
