// Package bme680 controls a Bosch BME680 or BME688 over I²C: temperature,
// pressure, humidity and the resistance of a heated metal oxide that falls when
// there are organic compounds in the air.
//
// Each call of Sense makes one measurement in the chip's forced mode and waits
// for it. The parallel and sequential modes of the BME688 with their
// multi-step heater profiles are for gas-scanning research and are left out.
//
// # Gas resistance
//
// The value is meaningful only when both Measurement.GasValid and
// Measurement.HeaterStable are set: the heater then had reached its temperature
// before the conversion. It says nothing absolute about the air: it depends on
// the sensor's history, and new sensors need a burn-in of hours.
//
// # Temperature offset
//
// The gas heater and the board warm the chip, typically by 1 to 5 K.
// Opts.TemperatureOffset is a difference that is added to the measured
// temperature, so the correction of a sensor that shows 2 K too much is
// -2*physic.Kelvin. It is added before pressure and humidity are calculated,
// which are compensated with the temperature, so both follow.
//
// # Concurrency
//
// All methods may be called from several goroutines. Halt interrupts a
// measurement that waits.
//
// # Datasheets
//
// BME680: BST-BME680-DS001, https://www.bosch-sensortec.com/products/environmental-sensors/gas-sensors/bme680/
//
// BME688: BST-BME688-DS000, https://www.bosch-sensortec.com/products/environmental-sensors/gas-sensors/bme688/
//
// The section numbers in the comments are those of BST-BME680-DS001.
package bme680
