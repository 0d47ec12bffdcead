package chips

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"
)

func TestTable(t *testing.T) {
	names := map[string]bool{}
	word := regexp.MustCompile(`^[a-z0-9]*$`)
	overlay := regexp.MustCompile(`^([a-z0-9-]+(,[a-z0-9]+)?)?$`)
	for i := range table {
		c := &table[i]
		if names[c.Name] || c.Name == "" || c.What == "" || len(c.at) == 0 || !word.MatchString(c.Linux) || !overlay.MatchString(c.Overlay) {
			t.Errorf("%+v", c)
		}
		names[c.Name] = true
		seen := map[uint16]bool{}
		for _, a := range c.at {
			if seen[a] || a < 0x08 || a > 0x7f {
				t.Errorf("%s: address %#x", c.Name, a)
			}
			seen[a] = true
		}
		if c.Sensor && c.Linux == "" {
			t.Errorf("%s is a sensor of Linux without a driver", c.Name)
		}
	}
	for _, list := range []map[byte]string{ids, idsBMP3} {
		for id, name := range list {
			if !names[name] {
				t.Errorf("chip id %#x is of %q, which is not in the table", id, name)
			}
		}
	}
}

// TestAt has what makers are most likely to find.
func TestAt(t *testing.T) {
	for address, want := range map[uint16]string{
		0x23: "BH1750 (light), MCP23017 (16 GPIO lines) or PCF8574 (8 GPIO lines, or a text display)",
		0x27: "MCP23017 (16 GPIO lines) or PCF8574 (8 GPIO lines, or a text display)",
		0x3d: "SSD1306 (display), SH1106 (display) or PCF8574A (8 GPIO lines, or a text display)",
		0x40: "INA219 (current, voltage, power), SHT21 (temperature, humidity), HTU21D (temperature, humidity) or 3 more",
		0x48: "ADS1115 (four voltages), INA219 (current, voltage, power), LM75 (temperature) or 4 more",
		0x68: "DS3231 (clock, temperature), MPU6050 (acceleration, rotation), DS1307 (clock) or 2 more",
		0x09: "",
	} {
		if got := Names(At(address), 3); got != want {
			t.Errorf("%#x: %s\nwant %s", address, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	for _, tc := range []struct {
		chip          string
		bus           int
		address       uint16
		line, command string
	}{
		{"BH1750", 1, 0x23, "dtoverlay=i2c-sensor,bh1750", "echo bh1750 0x23 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device"},
		{"BH1750", 1, 0x5c, "dtoverlay=i2c-sensor,bh1750,addr=0x5c", "echo bh1750 0x5c | sudo tee /sys/bus/i2c/devices/i2c-1/new_device"},
		{"BH1750", 3, 0x5c, "dtoverlay=i2c-sensor,bh1750,i2c3,addr=0x5c", "echo bh1750 0x5c | sudo tee /sys/bus/i2c/devices/i2c-3/new_device"},
		{"BH1750", 22, 0x23, "", "echo bh1750 0x23 | sudo tee /sys/bus/i2c/devices/i2c-22/new_device"},
		{"LM75", 1, 0x48, "dtoverlay=i2c-sensor,lm75,addr=0x48", "echo lm75 0x48 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device"},
		{"SSD1306", 1, 0x3d, "dtoverlay=ssd1306,address=0x3d", ""},
		{"SSD1306", 3, 0x3c, "", ""},
		{"INA219", 1, 0x41, "", "echo ina219 0x41 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device"},
		{"SH1106", 1, 0x3c, "", ""},
		{"MCP23017", 0, 0x21, "dtoverlay=mcp23017,noints,i2c0,addr=0x21", "echo mcp23017 0x21 | sudo tee /sys/bus/i2c/devices/i2c-0/new_device"},
	} {
		i := slices.IndexFunc(table, func(c Chip) bool { return c.Name == tc.chip })
		if got := table[i].ConfigLine(tc.bus, tc.address); got != tc.line {
			t.Errorf("%s: %q, want %q", tc.chip, got, tc.line)
		}
		if got := table[i].Command(tc.bus, tc.address); got != tc.command {
			t.Errorf("%s: %q, want %q", tc.chip, got, tc.command)
		}
	}
}

func TestIdentify(t *testing.T) {
	for _, tc := range []struct {
		name      string
		address   uint16
		registers map[byte]byte
		want      string
	}{
		{"BME680", 0x77, map[byte]byte{0xd0: 0x61}, "BME680 or BME688"},
		{"BME280", 0x76, map[byte]byte{0xd0: 0x60}, "BME280"},
		{"BMP280", 0x76, map[byte]byte{0xd0: 0x58}, "BMP280"},
		{"BMP180", 0x77, map[byte]byte{0xd0: 0x55}, "BMP180"},
		{"BMP388", 0x77, map[byte]byte{0x00: 0x50}, "BMP388"},
		{"BMP390", 0x77, map[byte]byte{0x00: 0x60}, "BMP390"},
		{"another one", 0x77, map[byte]byte{}, "DPS310, MS5611, TCA9548, HT16K33"},
		{"a multiplexer", 0x76, map[byte]byte{0xd0: 0xd0}, "DPS310, MS5611, TCA9548, HT16K33"},
		{"an address that is not asked", 0x23, nil, "BH1750, MCP23017, PCF8574"},
	} {
		bus := &bus{address: tc.address, registers: tc.registers}
		may, err := Identify(bus, tc.address)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		var names []string
		for _, c := range may {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, ", "); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		for _, w := range bus.written {
			if len(w) != 1 || w[0] != 0xd0 && w[0] != 0x00 || tc.registers[0xd0] == 0xd0 && w[0] == 0 {
				t.Errorf("%s: % x was written", tc.name, w)
			}
		}
	}
}

func TestIdentifyWithoutAnswer(t *testing.T) {
	may, err := Identify(&i2ctest.Playback{DontPanic: true}, 0x76)
	if err == nil || len(may) != len(At(0x76)) {
		t.Errorf("%d chips, %v", len(may), err)
	}
}

// bus has one chip, which is a file of registers.
type bus struct {
	address   uint16
	registers map[byte]byte
	written   [][]byte
}

func (b *bus) String() string                  { return "bus" }
func (b *bus) SetSpeed(physic.Frequency) error { return errors.New("fixed") }

func (b *bus) Tx(address uint16, w, r []byte) error {
	b.written = append(b.written, slices.Clone(w))
	if address != b.address || b.registers == nil || len(w) != 1 || len(r) != 1 {
		return errors.New("no answer")
	}
	r[0] = b.registers[w[0]]
	return nil
}
