package things

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/camera/store"
	"pithings/conf"
	"pithings/device"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
	"pithings/sensors/bme680"
)

var quiet = slog.New(slog.DiscardHandler)

var debounce = conf.Duration{Duration: 50 * time.Millisecond}

// bench is a thing over simulated parts and an in-memory link.
type bench struct {
	*testing.T
	board   *mock.Board
	link    *linktest.Client
	events  device.Bus
	closers []io.Closer
	mu      sync.Mutex
	reports []error
}

// onBench runs f in a bubble with its own clock.
func onBench(t *testing.T, o mock.Options, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, board: mock.New(o), link: linktest.New()}
		defer b.board.Close()
		defer b.link.Close()
		defer func() {
			for _, c := range b.closers {
				c.Close()
			}
		}()
		f(b)
	})
}

// run starts a thing; stop ends it as the agent does.
func (b *bench) run(thing Thing) (stop func()) {
	b.Helper()
	detach, err := thing.Attach()
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() {
		for { // as the agent's supervisor does
			err := thing.Run(ctx, b.report)
			if ctx.Err() != nil {
				ended <- err
				return
			}
			b.report(err)
			time.Sleep(time.Second)
		}
	}()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.Errorf("Run: %v", err)
		}
		detach()
	}
}

func (b *bench) report(err error) {
	b.mu.Lock()
	b.reports = append(b.reports, err)
	b.mu.Unlock()
}

// last is the state reported last.
func (b *bench) last() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reports) == 0 {
		return errors.New("nothing reported")
	}
	return b.reports[len(b.reports)-1]
}

func (b *bench) inject(topic, payload string, retain bool) {
	b.Helper()
	if err := b.link.Inject(mqttlink.Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: retain}); err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

func (b *bench) wantTranscript(want ...string) {
	b.Helper()
	if got := b.link.Transcript(); !slices.Equal(got, want) {
		b.Errorf("published\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// open makes a thing as the agent does: the settings that are not given have their defaults.
func (b *bench) open(name string, o Options, s Settings, log *slog.Logger) Thing {
	b.Helper()
	given := reflect.ValueOf(s).Elem()
	was := reflect.New(given.Type()).Elem()
	was.Set(given)
	conf.Fill(s)
	for i := range was.NumField() {
		if f := was.Field(i); !f.IsZero() {
			given.Field(i).Set(f)
		}
	}
	return b.exactly(name, o, s, log)
}

// exactly makes a thing with these settings.
func (b *bench) exactly(name string, o Options, s Settings, log *slog.Logger) Thing {
	b.Helper()
	o.Thing = name
	return b.in(b.env(log), o, s)
}

func (b *bench) env(log *slog.Logger) Env {
	return Env{Board: b.board, Link: b.link, Events: &b.events, Log: log, Pictures: func() (store.Store, error) {
		return store.NewDisk(b.TempDir(), store.Opts{}, func() string { return "http://pi/pictures" })
	}}
}

// in makes a thing in an environment.
func (b *bench) in(e Env, o Options, s Settings) Thing {
	b.Helper()
	thing, err := s.Open(o, e)
	if err != nil {
		b.Fatal(err)
	}
	if c, ok := thing.(io.Closer); ok {
		b.closers = append(b.closers, c)
	}
	return thing
}

func seconds(n int) conf.Duration { return conf.Duration{Duration: time.Duration(n) * time.Second} }

func (b *bench) motion(s MotionSettings, extra ...Extra) *Motion {
	b.Helper()
	o := Options{}
	if len(extra) > 0 {
		o.Extra = extra[0]
	}
	s.Pin = "GPIO17"
	return b.exactly("TG_MS", o, &s, quiet).(*Motion)
}

func TestMotion(t *testing.T) {
	const begin, end = `TG_MS/motion {"isMotionDetected": true}`, `TG_MS/motion {"isMotionDetected": false}`
	for name, tc := range map[string]struct {
		publish string
		warmUp  conf.Duration
		want    []string
	}{
		"detected":          {"detected", seconds(0), []string{begin, begin}},
		"both edges":        {PublishBoth, seconds(0), []string{begin, end, begin, end}},
		"during warm-up":    {PublishBoth, seconds(60), nil},
		"after the warm-up": {PublishBoth, seconds(5), []string{begin, end}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, mock.Options{}, func(b *bench) {
				stop := b.run(b.motion(MotionSettings{Publish: tc.publish, WarmUp: tc.warmUp, Debounce: debounce}))
				for range 2 {
					b.board.Pin("GPIO17").Set(gpio.High)
					time.Sleep(3 * time.Second)
					b.board.Pin("GPIO17").Set(gpio.Low)
					time.Sleep(5 * time.Second)
				}
				stop()
				b.wantTranscript(tc.want...)
			})
		})
	}
}

// A simulated sensor that the configuration gives no warm_up kept a first-time user waiting
// for a minute.
func TestSimulatedSensorDoesNotWarmUp(t *testing.T) {
	onBench(t, mock.Options{Settled: true}, func(b *bench) {
		stop := b.run(b.motion(MotionSettings{WarmUp: seconds(60), Debounce: debounce}))
		b.board.Pin("GPIO17").Set(gpio.High)
		time.Sleep(time.Second)
		stop()
		b.wantTranscript(`TG_MS/motion {"isMotionDetected": true}`)
	})
}

func TestMotionStuck(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		stop := b.run(b.motion(MotionSettings{StuckAfter: seconds(60)}))
		defer stop()
		b.board.Pin("GPIO17").Stick(gpio.High)
		time.Sleep(90 * time.Second)
		if err := b.last(); err == nil || !strings.Contains(err.Error(), "GPIO17 has been high for 1m0s") {
			t.Errorf("a stuck line is reported as %v", err)
		}
		b.board.Pin("GPIO17").Unstick()
		time.Sleep(3 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("a line that fell is reported as %v", err)
		}
	})
}

// home-assistant-config#750: high for 5.8 s and low for 0.6 s, for days. With a hold time motion began once and
// never ended, without a fault.
func TestMotionThatNeverStaysQuietIsAFault(t *testing.T) {
	free := mock.Motion{First: time.Second, Every: 6400 * time.Millisecond, Width: 5800 * time.Millisecond}
	onBench(t, mock.Options{Motion: free}, func(b *bench) {
		stop := b.run(b.motion(MotionSettings{Publish: PublishBoth, Hold: seconds(8), StuckAfter: seconds(20)}))
		defer stop()
		time.Sleep(20 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("after 20s: %v", err)
		}
		for range 100 {
			time.Sleep(2 * time.Second)
			if err := b.last(); err == nil || !strings.Contains(err.Error(), "GPIO17 has been high, or low for less than the hold time of 8s, for 20s") {
				t.Fatalf("a sensor that never stays quiet is reported as %v", err)
			}
		}
		b.board.Pin("GPIO17").Stick(gpio.Low)
		time.Sleep(10 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("a sensor that is quiet again is reported as %v", err)
		}
		b.wantTranscript(`TG_MS/motion {"isMotionDetected": true}`, `TG_MS/motion {"isMotionDetected": false}`)
	})
}

func (b *bench) environment(s EnvironmentSettings, o Options) *Environment {
	b.Helper()
	return b.open("bme680", o, &s, quiet).(*Environment)
}

// TestEnvironmentTellsFailures: a sensor that does not answer is reported at each
// interval, and the sequence continues.
func TestEnvironmentTellsFailures(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		stop := b.run(b.environment(EnvironmentSettings{Schema: Script, Only: "temperature"}, Options{Topics: map[string]string{"temperature": "t"}}))
		time.Sleep(2 * time.Second)
		b.board.Bus("1").NACK(-1)
		time.Sleep(6 * time.Second)
		if b.last() == nil {
			t.Error("the failure is not reported")
		}
		b.board.Bus("1").NACK(0)
		time.Sleep(6 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("still reported after it healed: %v", err)
		}
		stop()
		statuses := ""
		for i, line := range b.link.Transcript() {
			prefix := `t {"sequence": ` + string(rune('0'+i)) + `, "value": `
			if !strings.HasPrefix(line, prefix) {
				t.Errorf("message %d: %s", i, line)
			}
			if strings.Contains(line, `null, "status": "fail"`) {
				statuses += "f"
			} else if strings.Contains(line, `"status": "success"`) {
				statuses += "s"
			}
		}
		if statuses != "sffss" {
			t.Errorf("statuses %s, want sffss:\n%s", statuses, strings.Join(b.link.Transcript(), "\n"))
		}
	})
}

// A reading that the chip did not take is never "success": Adafruit_BME680#57, Bosch-BME68x-Library#7,
// esphome/issues#15 (33.15 °C and 100 % after a supply dip), esphome/issues#741, sensors-software#926,
// bme680-raspberry#7 (-133 °C, 197 °C, 2133 hPa of zeroes and shifted bytes).
func TestReadingsThatTheChipDidNotTake(t *testing.T) {
	reset := []byte{0x80, 0, 0, 0x80, 0, 0, 0x80, 0}
	for name, fault := range map[string]func(s *mock.BME680, n int){
		"supply dips between settings and start": func(s *mock.BME680, n int) { s.Dip(n) },
		"new data, and all of it skipped":        func(s *mock.BME680, n int) { s.Garble(n, func(f []byte) { copy(f[2:], reset) }) },
		"fields of zeroes":                       func(s *mock.BME680, n int) { s.Garble(n, func(f []byte) { clear(f[2:]) }) },
		"fields of ones": func(s *mock.BME680, n int) {
			s.Garble(n, func(f []byte) { copy(f[2:], "\xFF\xFF\xF0\xFF\xFF\xF0\xFF\xFF") })
		},
		"shifted bytes": func(s *mock.BME680, n int) { s.Garble(n, func(f []byte) { copy(f[2:], f[3:]) }) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, mock.Options{}, func(b *bench) {
				sensor := b.board.Bus("1").Sensor()
				sensor.SetWeather(mock.Weather{Temperature: 21, Pressure: 98765, Humidity: 44, Gas: 50000})
				stop := b.run(b.environment(EnvironmentSettings{}, Options{}))
				defer stop()
				// step is what one measurement published: temperature, humidity, pressure, gas, state.
				step := func() []string {
					before := len(b.link.Transcript())
					time.Sleep(3 * time.Second)
					return b.link.Transcript()[before:]
				}
				check := func(when string, lines []string, status string) {
					t.Helper()
					if len(lines) != 5 {
						t.Fatalf("%s: %d messages", when, len(lines))
					}
					for _, line := range lines {
						value := "null"
						if status == "success" {
							value = map[string]string{"temperature": "21", "humidity": "43.998", "pressure": "987.65"}[strings.TrimPrefix(strings.Fields(line)[0], "bme680/")]
						}
						if !strings.Contains(line, `"status": "`+status+`"`) || !strings.Contains(line, `: `+value) {
							t.Errorf("%s: %s, want %s and %s", when, line, status, value)
						}
					}
				}
				time.Sleep(time.Second)
				check("before", b.link.Transcript(), "success")
				fault(sensor, 1)
				check("one fault", step(), "success")
				fault(sensor, -1)
				check("faults for ever", step(), "fail")
				if err := b.last(); err == nil {
					t.Error("the thing does not report the fault")
				}
				fault(sensor, 0)
				check("healed", step(), "success")
				if err := b.last(); err != nil {
					t.Errorf("healed, and reported as %v", err)
				}
			})
		})
	}
}

// Every message with a time in it says where, so that the link can fill in another
// if the clock was not known; and the time is that of the beginning of the
// measurement.
func TestTimeFields(t *testing.T) {
	for _, extra := range []Extra{nil, {"room": "hall", "time": "no"}} {
		for schema, want := range map[Schema]mqttlink.TimeFormat{Tutorial: mqttlink.UnixSeconds, Script: mqttlink.TextMicros} {
			onBench(t, mock.Options{}, func(b *bench) {
				stop := b.run(b.environment(EnvironmentSettings{Schema: schema}, Options{Extra: extra}))
				time.Sleep(2 * time.Second)
				b.board.Bus("1").NACK(-1)
				time.Sleep(2 * time.Second)
				stop()
				messages := b.link.Published("#")
				if len(messages) < 10 {
					t.Fatalf("only %d messages", len(messages))
				}
				first := messages[0].Time
				for _, m := range messages {
					if m.Topic == "bme680/state" {
						want = mqttlink.UnixSeconds
					}
					f := m.TimeField
					if got := string(m.Payload[f.Offset : f.Offset+f.Length]); f.Format != want || got != string(want.Append(nil, m.Time)) {
						t.Errorf("%s: the time is said to be %q in format %d of %s", m.Topic, got, f.Format, m.Payload)
					}
					want = map[Schema]mqttlink.TimeFormat{Tutorial: mqttlink.UnixSeconds, Script: mqttlink.TextMicros}[schema]
				}
				for _, m := range messages[:5] { // of one measurement, which takes a while
					if !m.Time.Equal(first) || time.Since(first) < 3*time.Second {
						t.Errorf("%s was made at %v, the first of the measurement at %v", m.Topic, m.Time, first)
					}
				}
			})
		}
	}
}

// The time has its monotonic reading, which survives the setting of the clock. (In a
// bubble times have none.)
func TestTimesAreMonotonic(t *testing.T) {
	b := &bench{T: t, board: mock.New(mock.Options{}), link: linktest.New()}
	defer b.board.Close()
	defer b.link.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	ended := make(chan error)
	go func() { ended <- b.environment(EnvironmentSettings{}, Options{}).Run(ctx, b.report) }()
	m, err := b.link.WaitFor(ctx, "bme680/state", 1)
	cancel()
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Time.String(), " m=") {
		t.Errorf("made at %v", m.Time)
	}
}

// TestColdHeater: gas is null while the heater is not stable; the rest is there.
func TestColdHeater(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		b.board.Bus("1").Sensor().ColdHeater(true)
		stop := b.run(b.environment(EnvironmentSettings{}, Options{}))
		time.Sleep(time.Second)
		stop()
		for topic, want := range map[string]string{
			"bme680/gas": `"value": null, "origin": "BME680 gas", "status": "fail"`, "bme680/temperature": `"status": "success"`,
			"bme680/state": `"gas_resistance": null, "status": "success"`,
		} {
			m := b.link.Published(topic)
			if len(m) != 1 || !strings.Contains(string(m[0].Payload), want) {
				t.Errorf("%s: %v", topic, m)
			}
		}
	})
}

func (b *bench) camera() (*Camera, func()) {
	b.Helper()
	s := CameraSettings{}
	conf.Fill(&s)
	s.WarmUpFrames = 0
	c := b.exactly("TG_Camera", Options{}, &s, quiet).(*Camera)
	return c, func() { c.Close() }
}

func TestCamera(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		finished := func() int { return len(b.link.Published("TG_Camera/capture/finished")) }
		b.inject("TG_Camera/capture", "{}", true)
		stop := b.run(c)
		time.Sleep(time.Second)
		if finished() != 0 {
			t.Error("a command that the broker had kept took a picture")
		}
		for _, payload := range []string{"{}", "", "anything", `{"a": 1}`} {
			b.link.Forget()
			b.inject("TG_Camera/capture", payload, false)
			time.Sleep(time.Second)
			if finished() != 1 {
				t.Errorf("%q: %d answers", payload, finished())
			}
		}
		b.link.Forget()
		for range 20 { // a storm: one in flight, and one more for all that came meanwhile
			b.inject("TG_Camera/capture", "{}", false)
		}
		time.Sleep(2 * time.Second)
		if finished() != 2 {
			t.Errorf("%d answers to a storm", finished())
		}
		b.link.Forget()
		b.board.Video("/dev/video0").Unplug()
		b.inject("TG_Camera/capture", "{}", false)
		time.Sleep(30 * time.Second)
		if finished() != 0 {
			t.Error("a camera that is not there answers")
		}
		b.board.Video("/dev/video0").Replug()
		b.inject("TG_Camera/capture", "{}", false)
		time.Sleep(time.Second)
		if finished() != 1 {
			t.Error("no picture after the camera came back")
		}
		stop()
	})
}

// TestCameraWithoutPictures: one that is there and gives none does not work.
func TestCameraWithoutPictures(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		defer b.run(c)()
		if err := b.last(); err != nil {
			t.Errorf("at the start: %v", err)
		}
		b.board.Video("/dev/video0").Spoil(mock.Garbage, -1)
		b.inject("TG_Camera/capture", "{}", false)
		time.Sleep(30 * time.Second)
		if b.last() == nil {
			t.Error("a camera whose pictures are all garbage works")
		}
		b.board.Video("/dev/video0").Spoil(mock.Sound, 0)
		b.inject("TG_Camera/capture", "{}", false)
		time.Sleep(30 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("after a good picture: %v", err)
		}
	})
}

// TestQuantitiesSwitchedOff have no messages, and null in the combined one.
func TestQuantitiesSwitchedOff(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		e := b.environment(EnvironmentSettings{}, Options{})
		e.sensor.Pressure, e.sensor.Humidity, e.sensor.HeaterDuration = bme680.Off, bme680.Off, 0
		stop := b.run(e)
		time.Sleep(time.Second)
		stop()
		for _, q := range []string{"pressure", "humidity", "gas"} {
			if m := b.link.Published("bme680/" + q); len(m) != 0 {
				t.Errorf("%s: %s", q, m[0].Payload)
			}
		}
		m := b.link.Published("bme680/state")
		if len(m) != 1 || !strings.Contains(string(m[0].Payload), `"humidity": null, "pressure": null, "gas_resistance": null, "status": "success"`) {
			t.Errorf("state: %v", m)
		}
	})
}

func TestScreen(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		screen := b.open("TG_Screen", Options{}, &ScreenSettings{ClearAfter: seconds(10)}, quiet).(*Screen)
		defer b.run(screen)()
		white := func() bool {
			r, _, _, _ := b.board.Framebuffer("/dev/fb0").Image().At(400, 240).RGBA()
			return r > 0x8000
		}
		// A white pixel.
		const show = `{"imageUri":"data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="}`
		for name, clear := range map[string]func(){
			"blank":      func() { b.inject("TG_Screen/display", `{"imageUri":" "}`, false) },
			"absent":     func() { b.inject("TG_Screen/display", `{}`, false) },
			"null":       func() { b.inject("TG_Screen/display", `{"imageUri":null}`, false) },
			"end":        func() { b.inject("TG_Screen/end", `x`, false) },
			"after 10 s": func() { time.Sleep(11 * time.Second) },
		} {
			b.inject("TG_Screen/display", show, false)
			if !white() {
				t.Errorf("%s: the picture is not shown", name)
			}
			clear()
			synctest.Wait()
			if white() {
				t.Errorf("%s does not clear", name)
			}
		}
		for range 10 { // without a pause, the order is kept
			b.inject2("TG_Screen/display", show, "TG_Screen/end", "")
			if white() {
				t.Fatal("a display overtook the end behind it")
			}
			b.inject2("TG_Screen/end", "", "TG_Screen/display", show)
			if !white() {
				t.Fatal("an end overtook the display behind it")
			}
		}
	})
}

// inject2 delivers two messages at once.
func (b *bench) inject2(topic1, payload1, topic2, payload2 string) {
	b.Helper()
	for _, m := range []mqttlink.Message{{Topic: topic1, Payload: []byte(payload1)}, {Topic: topic2, Payload: []byte(payload2)}} {
		if err := b.link.Inject(m); err != nil {
			b.Fatal(err)
		}
	}
	synctest.Wait()
}
