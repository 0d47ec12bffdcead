package bme680

// Registers (§5.2, memory map) and their values.
const (
	regHeatVal    = 0x00 // third block of calibration
	regField      = 0x1D // status, pressure, temperature, humidity, gas
	regResHeat0   = 0x5A // heater resistance of set-point 0
	regGasWait0   = 0x64 // heater duration of set-point 0
	regCtrlGas0   = 0x70
	regCtrlGas1   = 0x71
	regCtrlHum    = 0x72
	regCtrlMeas   = 0x74
	regConfig     = 0x75
	regCalib1     = 0x8A // first block of calibration
	regChipID     = 0xD0
	regReset      = 0xE0
	regCalib2     = 0xE1 // second block of calibration
	regVariant    = 0xF0
	lenCalib1     = 23
	lenCalib2     = 14
	lenCalib3     = 5
	lenField      = 17
	chipID        = 0x61
	variantLow    = 0x00 // BME680
	variantHigh   = 0x01 // BME688
	variantBME690 = 0x02 // same chip id, other formulas
	softReset     = 0xB6

	heatOff    = 0x08 // in ctrl_gas_0
	runGasLow  = 0x10 // in ctrl_gas_1 of a BME680
	runGasHigh = 0x20 // in ctrl_gas_1 of a BME688
	modeForced = 0x01 // in ctrl_meas

	statusNewData   = 0x80 // in the first byte of the field
	statusMeasuring = 0x60 // gas_measuring and measuring
	gasValid        = 0x20 // in the last byte of the gas value
	gasHeaterStable = 0x10
	gasRange        = 0x0F
)
