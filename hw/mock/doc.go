// Package mock simulates a board at the wire: a motion sensor's line, an I²C
// bus with a BME680 or BME688 on it, a camera and a screen. It implements
// [hw.Board], so that everything above runs unchanged on a laptop and in tests.
//
//	board := mock.New(mock.Options{Motion: mock.Motion{First: time.Second, Every: 10 * time.Second, Width: 2 * time.Second}})
//	defer board.Close()
//	pin, err := board.OpenPin("GPIO17")   // what the program does
//	board.Pin("GPIO17").Set(gpio.High)    // what the test does
//
// # Names
//
// Every name exists. The name "mock" stands for a part of one's own: each
// opener gets a pin, camera or screen that nobody else has open. Any other
// name ("GPIO17", "/dev/video0", "mock:hall") is one part; its pin or camera
// can be open once, as in the kernel, its bus and screen several times. A bus
// is always shared, also the one called "mock".
//
// [Board.Pin], [Board.Bus], [Board.Video] and [Board.Framebuffer] give the
// simulated part behind a name, to drive it, to look at it and to switch its
// faults. They may be called before the part is opened.
//
// # Time
//
// The parts run no goroutines. Levels, measurements and frames are worked out
// when somebody asks, from the time that has passed, so an idle board costs
// nothing, and in a [testing/synctest] bubble everything follows the bubble's
// clock.
package mock
