// Package modbus asks devices with a Modbus interface: energy meters, inverters, PLCs, heat
// pumps, modules with inputs and relays; over TCP, over a serial line (RTU), or through a
// converter that passes RTU on.
//
//	var lines modbus.Lines // one for a process
//	d := modbus.New(&lines, board, modbus.Port{Device: "tcp://192.168.1.20"}, modbus.DefaultOpts, registers)
//	err := d.Open(ctx)
//	values, err := d.Read(ctx) // values[i] is the value of d.Channels()[i]
//	err = d.Write(ctx, "setpoint", 21.5)
//	d.Close()
//
// # Requests
//
// Neighbouring values are read by one request, up to 125 registers or 2000 bits, and up to
// Opts.Gap registers between them with it. Devices on one port share it: one request is under
// way at a time, and none waits longer than for those before it. There are no goroutines, and
// no timers between readings.
//
// # Failures
//
// A request without a valid answer within Opts.Timeout is repeated Opts.Retries times. The rest
// of the reading is not tried then: its values are missing. The device is left alone for
// four times as long as the failure took, 30 s at most, so that a device that is switched off
// does not take the port from others; a port that cannot be opened is left alone likewise,
// for 1 s at least.
// What a device refuses (an exception) costs the values of that request, which is divided until
// the refused ones stand alone.
//
// RTU frames say nothing about which request they answer. Bytes that came before a request are
// dropped, and after a time-out no request with the same function is made to the same unit until
// the late answer came, or one more time-out is over. So a device may be late by another time-out
// without its values being taken for those of other registers; a device that is slower still
// needs a longer Opts.Timeout. Modbus TCP numbers its frames.
//
// A connection that was closed is made anew by the next request.
//
// # Why not a library
//
// github.com/simonvetter/modbus 1.6.4 was tried; tests speak with it. Its client takes no
// connection, but opens the port itself, so that neither a board nor a simulation can stand
// between; its requests cannot be cancelled. Over RTU it takes the late answer to a request that
// timed out for the answer to the next one, and stays one behind for good. Its serial port
// (github.com/goburrow/serial 0.1.0) blocks a thread in select, 10 ms at a time.
// docs/upstream-findings.md has the details. The frames are 200 lines.
//
// # References
//
// MODBUS Application Protocol Specification V1.1b3 (2012); MODBUS over Serial Line,
// Specification and Implementation Guide V1.02 (2006); MODBUS Messaging on TCP/IP
// Implementation Guide V1.0b (2006); all at modbus.org.
package modbus
