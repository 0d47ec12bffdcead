// Package modbus measures what it costs to read 20 Modbus devices with 100 registers each at
// an interval of one second: the driver alone, and the whole agent, which publishes the values
// at its embedded broker. The devices are another process. What is measured is processor
// time in percent of one core, the kernel's part with it.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/bench/modbus
package modbus
