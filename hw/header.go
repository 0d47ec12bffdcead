package hw

import "strconv"

// header has the 40 pins of a Raspberry Pi's header, in the order of their numbers.
// All models since the B+ have it; the first 26 pins are those of the older ones but
// for the first revision of the Model B (raspberrypi.com/documentation, "GPIO and the
// 40-pin header"). GPIO0 and GPIO1 belong to the EEPROM of a HAT.
var header = [40]string{
	"3V3", "5V",
	"GPIO2", "5V",
	"GPIO3", "GND",
	"GPIO4", "GPIO14",
	"GND", "GPIO15",
	"GPIO17", "GPIO18",
	"GPIO27", "GND",
	"GPIO22", "GPIO23",
	"3V3", "GPIO24",
	"GPIO10", "GND",
	"GPIO9", "GPIO25",
	"GPIO11", "GPIO8",
	"GND", "GPIO7",
	"GPIO0", "GPIO1",
	"GPIO5", "GND",
	"GPIO6", "GPIO12",
	"GPIO13", "GND",
	"GPIO19", "GPIO16",
	"GPIO26", "GPIO20",
	"GND", "GPIO21",
}

// Header returns what is on the 40 pins of a Raspberry Pi's header; pin 1 comes
// first: "3V3", "5V", "GPIO2".
func Header() [40]string { return header }

// HeaderPin returns the pin of the header, 1 to 40, on which a Raspberry Pi has
// the line GPIOn, or 0.
func HeaderPin(n int) int {
	name := "GPIO" + strconv.Itoa(n)
	for i, h := range header {
		if h == name {
			return i + 1
		}
	}
	return 0
}
