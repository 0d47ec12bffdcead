// Package mock simulates a board at the wire: digital lines with a motion sensor, a
// button or a relay on them, an I²C bus with a BME680 or BME688 on it, a camera, a
// screen and the files of the kernel's sensors. It implements [hw.Board], so that
// everything above runs unchanged on a laptop and in tests.
//
//	board := mock.New(mock.Options{Motion: mock.Motion{First: time.Second, Every: 10 * time.Second, Width: 2 * time.Second}})
//	defer board.Close()
//	pin, err := board.OpenPin("GPIO17")   // what the program does
//	board.Pin("GPIO17").Set(gpio.High)    // what the test does
//	relay, err := board.OpenOutput("GPIO27", hw.OutputOpts{ActiveLow: true})
//	board.Pin("GPIO27").Level()           // High: the relay is off
//
// # Names
//
// Every name exists. The name "mock" stands for a part of one's own: each
// opener gets a pin, camera or screen that is not open. Any other
// name ("GPIO17", "/dev/video0", "mock:hall") is one part; its pin or camera
// can be open once, as in the kernel, its bus and screen several times. A bus
// is always shared, also the one called "mock".
//
// [Board.Pin], [Board.Bus], [Board.Video] and [Board.Framebuffer] give the
// simulated part behind a name, to drive it, to look at it and to switch its
// faults. They may be called before the part is opened. [Board.Parts] lists the parts
// of a Pi, and those that were asked for.
//
// The kernel's sensors are files ([Board.Sysfs]): a DHT22, an INA219, a DS18B20
// and a thermal zone, whose faults [Board.Kernel] switches.
//
// # Time
//
// The parts run no goroutines. Levels, measurements and frames are worked out
// at each read, from the time that has passed, so an idle board costs
// nothing, and in a [testing/synctest] bubble everything follows the bubble's
// clock.
package mock
