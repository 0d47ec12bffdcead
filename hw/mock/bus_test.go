package mock_test

import (
	"errors"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"pithings/hw"
	"pithings/hw/mock"
)

func openBus(t *testing.T, b *mock.Board, name string) i2c.BusCloser {
	t.Helper()
	bus, err := b.OpenBus(name)
	if err != nil {
		t.Fatal(err)
	}
	return bus
}

func chipID(bus i2c.Bus, address uint16) (byte, error) {
	var id [1]byte
	err := bus.Tx(address, []byte{0xD0}, id[:])
	return id[0], err
}

func TestBusFaults(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		bus, sim := openBus(t, b, "/dev/i2c-1"), b.Bus("1")
		expect := func(when string, want error, took time.Duration) {
			t.Helper()
			begun := time.Now()
			id, err := chipID(bus, 0x76)
			if !errors.Is(err, want) || want == nil && id != 0x61 {
				t.Errorf("%s: chip id %#x, error %v, want %v", when, id, err, want)
			}
			if time.Since(begun) != took {
				t.Errorf("%s: took %v, want %v", when, time.Since(begun), took)
			}
		}
		expect("at first", nil, 0)
		sim.NACK(2)
		expect("NACK(2)", mock.ErrNACK, 0)
		expect("NACK(2)", mock.ErrNACK, 0)
		expect("after NACK(2)", nil, 0)
		sim.NACK(-1)
		expect("NACK(-1)", mock.ErrNACK, 0)
		sim.NACK(0)
		sim.Sensor().SetPresent(false)
		expect("sensor unplugged", mock.ErrNACK, 0)
		sim.Sensor().SetPresent(true)
		time.Sleep(10 * time.Millisecond)
		expect("sensor back", nil, 0)
		sim.Hang(true)
		expect("hanging", mock.ErrTimeout, time.Second)
		sim.Hang(false)
		expect("after hanging", nil, 0)

		sim.Hang(true)
		go func() { time.Sleep(300 * time.Millisecond); sim.Unplug() }()
		expect("unplugged in a transfer", hw.ErrGone, 300*time.Millisecond)
		sim.Hang(false)
		expect("unplugged", hw.ErrGone, 0)
		if _, err := b.OpenBus("1"); !errors.Is(err, hw.ErrNotFound) {
			t.Errorf("unplugged: OpenBus says %v", err)
		}
		sim.Replug()
		expect("old handle", hw.ErrGone, 0)
		if err := errors.Join(bus.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
		bus = openBus(t, b, "1")
		expect("new handle", nil, 0)
		if err := bus.SetSpeed(100 * physic.KiloHertz); err == nil {
			t.Error("the kernel lets no program set the speed")
		}
	})
}

func TestBusDevices(t *testing.T) {
	for _, row := range []struct {
		name    string
		sensor  mock.Environment
		address uint16
		want    byte
	}{
		{"BME680 at its usual address", mock.Environment{}, 0x76, 0x61},
		{"at the other address", mock.Environment{Address: 0x77}, 0x77, 0x61},
		{"a BME280 instead", mock.Environment{ChipID: 0x60}, 0x76, 0x60},
		{"nothing at the other address", mock.Environment{}, 0x77, 0},
		{"empty bus", mock.Environment{Address: mock.NoSensor}, 0x76, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := mock.New(mock.Options{Environment: row.sensor})
			id, err := chipID(openBus(t, b, "mock"), row.address)
			if id != row.want || (err != nil) != (row.want == 0) {
				t.Errorf("chip id %#x, error %v", id, err)
			}
		})
	}

	b := mock.New(mock.Options{Environment: mock.Environment{Address: mock.NoSensor}})
	b.Bus("1").Attach(0x77, mock.NewBME680(mock.Environment{Variant: 1}, 5, nil))
	bus := openBus(t, b, "1")
	if id, err := chipID(bus, 0x77); id != 0x61 {
		t.Errorf("attached: %#x, %v", id, err)
	}
	b.Bus("1").Attach(0x77, nil)
	if _, err := chipID(bus, 0x77); !errors.Is(err, mock.ErrNACK) {
		t.Errorf("taken away: %v", err)
	}
}

func TestWeatherFollowsTheCalendar(t *testing.T) {
	day := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	at := day
	o := mock.Options{Seed: 4, Now: func() time.Time { return at }}
	sensor := mock.New(o).Bus("1").Sensor()
	noon := sensor.Weather()
	at = day.Add(6 * time.Hour)
	if sensor.Weather() == noon {
		t.Error("the weather stands still")
	}
	at = day
	if mock.New(o).Bus("1").Sensor().Weather() != noon {
		t.Error("the same seed and time must give the same weather")
	}
	if mock.New(o).Bus("2").Sensor().Weather() == noon {
		t.Error("each bus has its own weather")
	}
	sensor.SetWeather(mock.Weather{Temperature: 3})
	if sensor.Weather() != (mock.Weather{Temperature: 3}) {
		t.Error("the weather was not held")
	}
}
