package chips

// The names of the chips that say what they are.
const (
	bme680 = "BME680 or BME688"
	bme280 = "BME280"
	bmp280 = "BMP280"
	bmp180 = "BMP180"
	bmp388 = "BMP388"
	bmp390 = "BMP390"
)

// BME680 is the name of the chip that package bme680 drives.
const BME680 = bme680

// table has the chips, of those with the same address the more usual ones first.
//
// Addresses are those of the data sheets, as Adafruit's list of I²C addresses collects
// them. Overlays and their default addresses are those of Raspberry Pi's kernel
// (arch/arm/boot/dts/overlays: README, i2c-sensor-common.dtsi, i2c-rtc-common.dtsi and the
// overlay of the name); names of drivers those of Linux's tables of devices.
var table = []Chip{
	// Environment.
	{Name: bme680, What: "temperature, humidity, pressure, gas", Linux: "bme680", Overlay: "i2c-sensor,bme680", Sensor: true, at: list(0x76, 0x77)},
	{Name: bme280, What: "temperature, humidity, pressure", Linux: "bme280", Overlay: "i2c-sensor,bme280", Sensor: true, at: list(0x76, 0x77)},
	{Name: bmp280, What: "temperature, pressure", Linux: "bmp280", Overlay: "i2c-sensor,bmp280", Sensor: true, at: list(0x76, 0x77)},
	{Name: bmp180, What: "temperature, pressure", Linux: "bmp180", Overlay: "i2c-sensor,bmp180", Sensor: true, at: list(0x77)},
	{Name: bmp388, What: "temperature, pressure", Linux: "bmp380", Overlay: "i2c-sensor,bmp380", Sensor: true, at: list(0x76, 0x77)},
	{Name: bmp390, What: "temperature, pressure", Linux: "bmp380", Overlay: "i2c-sensor,bmp380", Sensor: true, at: list(0x76, 0x77)},
	{Name: "DPS310", What: "temperature, pressure", Linux: "dps310", Sensor: true, at: list(0x77, 0x76)},
	{Name: "MS5611", What: "temperature, pressure", Linux: "ms5611", Sensor: true, at: list(0x77, 0x76)},
	{Name: "SHT3x", What: "temperature, humidity", Linux: "sht3x", Overlay: "i2c-sensor,sht3x", Sensor: true, at: list(0x44, 0x45)},
	{Name: "SHT4x", What: "temperature, humidity", Linux: "sht4x", Overlay: "i2c-sensor,sht4x", Sensor: true, at: list(0x44, 0x45)},
	{Name: "SHTC3", What: "temperature, humidity", Linux: "shtc3", Overlay: "i2c-sensor,shtc3", Sensor: true, at: list(0x70)},
	{Name: "AHT10, AHT20 or DHT20", What: "temperature, humidity", Linux: "aht10", Overlay: "i2c-sensor,aht10", Sensor: true, at: list(0x38)},
	{Name: "HTS221", What: "temperature, humidity", Linux: "hts221", Sensor: true, at: list(0x5f)},
	{Name: "LPS25H", What: "temperature, pressure", Linux: "lps25h", Sensor: true, at: list(0x5c, 0x5d)},
	{Name: "SCD30", What: "CO2, temperature, humidity", Linux: "scd30", Sensor: true, at: list(0x61)},
	{Name: "SCD40 or SCD41", What: "CO2, temperature, humidity", Linux: "scd41", Overlay: "i2c-sensor,scd4x", Sensor: true, at: list(0x62)},
	{Name: "SGP30", What: "gas", Linux: "sgp30", Overlay: "i2c-sensor,sgp30", Sensor: true, at: list(0x58)},
	{Name: "SGP40", What: "gas", Linux: "sgp40", Sensor: true, at: list(0x59)},
	{Name: "CCS811", What: "gas", Linux: "ccs811", Overlay: "i2c-sensor,ccs811", Sensor: true, at: list(0x5b, 0x5a)},
	{Name: "SPS30", What: "fine dust", Linux: "sps30", Overlay: "i2c-sensor,sps30", Sensor: true, at: list(0x69)},

	// Light and distance.
	{Name: "BH1750", What: "light", Linux: "bh1750", Overlay: "i2c-sensor,bh1750", Sensor: true, at: list(0x23, 0x5c)},
	{Name: "VL53L0X", What: "distance", Linux: "vl53l0x", Sensor: true, at: list(0x29)},
	{Name: "TSL2561", What: "light", Linux: "tsl2561", Sensor: true, at: list(0x39, 0x29, 0x49)},
	{Name: "TSL2591", What: "light", Linux: "tsl2591", Sensor: true, at: list(0x29)},
	{Name: "TCS34725", What: "colour", Linux: "tcs3472", Sensor: true, at: list(0x29)},
	{Name: "APDS-9960", What: "light, gestures", Linux: "apds9960", Overlay: "apds9960,noints", Sensor: true, onlyBus: true, at: list(0x39)},
	{Name: "VEML7700", What: "light", at: list(0x10)},
	{Name: "VEML6075", What: "ultraviolet light", Linux: "veml6075", Sensor: true, at: list(0x10)},
	{Name: "VEML6070", What: "ultraviolet light", Linux: "veml6070", Overlay: "i2c-sensor,veml6070", Sensor: true, at: list(0x38)},
	{Name: "MLX90614", What: "temperature at a distance", Linux: "mlx90614", Sensor: true, at: list(0x5a)},

	// Temperature, voltage, current.
	{Name: "ADS1115", What: "four voltages", Linux: "ads1115", Overlay: "ads1115", Sensor: true, at: span(0x48, 0x4b)},
	{Name: "INA219", What: "current, voltage, power", Linux: "ina219", Sensor: true, at: span(0x40, 0x4f)},
	{Name: "SHT21", What: "temperature, humidity", Linux: "sht21", Sensor: true, at: list(0x40)},
	{Name: "HTU21D", What: "temperature, humidity", Linux: "htu21", Overlay: "i2c-sensor,htu21", Sensor: true, at: list(0x40)},
	{Name: "Si7021", What: "temperature, humidity", Linux: "si7020", Overlay: "i2c-sensor,si7020", Sensor: true, at: list(0x40)},
	{Name: "HDC1008", What: "temperature, humidity", Linux: "hdc100x", Overlay: "i2c-sensor,hdc100x", Sensor: true, at: span(0x40, 0x43)},
	{Name: "LM75", What: "temperature", Linux: "lm75", Overlay: "i2c-sensor,lm75", Sensor: true, at: first(0x4f, span(0x48, 0x4e))},
	{Name: "TMP102", What: "temperature", Linux: "tmp102", Overlay: "i2c-sensor,tmp102", Sensor: true, at: span(0x48, 0x4b)},
	{Name: "ADS1015", What: "four voltages", Linux: "ads1015", Overlay: "ads1015", Sensor: true, at: span(0x48, 0x4b)},
	{Name: "PCF8591", What: "four voltages", Linux: "pcf8591", Sensor: true, at: span(0x48, 0x4f)},
	{Name: "TMP117", What: "temperature", Linux: "tmp117", Sensor: true, at: span(0x48, 0x4b)},
	{Name: "MCP9808", What: "temperature", Linux: "jc42", Overlay: "i2c-sensor,jc42", Sensor: true, at: span(0x18, 0x1f)},
	{Name: "MCP9600", What: "thermocouple", Linux: "mcp9600", Sensor: true, at: span(0x60, 0x67)},
	{Name: "MAX17040", What: "battery", Linux: "max17040", Overlay: "i2c-sensor,max17040", at: list(0x36)},

	// Motion.
	{Name: "LIS3DH", What: "acceleration", Linux: "lis3dh", Sensor: true, at: list(0x18, 0x19)},
	{Name: "ADXL345", What: "acceleration", Linux: "adxl345", Sensor: true, at: list(0x53, 0x1d)},
	{Name: "HMC5883L", What: "compass", Linux: "hmc5883", Sensor: true, at: list(0x1e)},
	{Name: "QMC5883L", What: "compass", at: list(0x0d)},
	{Name: "BNO055", What: "position in space", Linux: "bno055", Overlay: "i2c-sensor,bno055", Sensor: true, at: list(0x29, 0x28)},
	{Name: "LSM6DS3", What: "acceleration, rotation", Linux: "lsm6ds3", Sensor: true, at: list(0x6a, 0x6b)},

	// Clocks, and what shares their address.
	{Name: "DS3231", What: "clock, temperature", Linux: "ds3231", Overlay: "i2c-rtc,ds3231", Sensor: true, at: list(0x68)},
	{Name: "MPU6050", What: "acceleration, rotation", Linux: "mpu6050", Overlay: "i2c-sensor,mpu6050", Sensor: true, at: list(0x68, 0x69)},
	{Name: "DS1307", What: "clock", Linux: "ds1307", Overlay: "i2c-rtc,ds1307", at: list(0x68)},
	{Name: "PCF8523", What: "clock", Linux: "pcf8523", Overlay: "i2c-rtc,pcf8523", at: list(0x68)},
	{Name: "MCP3421", What: "voltage", Linux: "mcp3421", Sensor: true, at: span(0x68, 0x6f)},
	{Name: "PCF8563", What: "clock", Linux: "pcf8563", Overlay: "i2c-rtc,pcf8563", at: list(0x51)},
	{Name: "RV3028", What: "clock", Linux: "rv3028", Overlay: "i2c-rtc,rv3028", at: list(0x52)},
	{Name: "MCP7940", What: "clock", Linux: "mcp7940x", Overlay: "i2c-rtc,mcp7940x", at: list(0x6f)},

	// Lines, displays, the rest. A PCA9685 can have any address from 0x40 on; these are those
	// of boards. It answers at 0x70, too, until its driver forbids it.
	{Name: "MCP23017", What: "16 GPIO lines", Linux: "mcp23017", Overlay: "mcp23017,noints", at: span(0x20, 0x27)},
	{Name: "PCF8574", What: "8 GPIO lines, or a text display", Linux: "pcf8574", Overlay: "pcf857x,pcf8574", at: span(0x20, 0x27)},
	{Name: "SSD1306", What: "display", Overlay: "ssd1306", address: "address", onlyBus: true, at: list(0x3c, 0x3d)},
	{Name: "SH1106", What: "display", at: list(0x3c, 0x3d)},
	{Name: "PCF8574A", What: "8 GPIO lines, or a text display", Linux: "pcf8574a", Overlay: "pcf857x,pcf8574a", at: span(0x38, 0x3f)},
	{Name: "PCA9685", What: "16 PWM outputs", Linux: "pca9685", Overlay: "i2c-pwm-pca9685a", at: append(span(0x40, 0x47), 0x60, 0x70)},
	{Name: "TCA9548", What: "multiplexer of 8 buses", Linux: "pca9548", Overlay: "i2c-mux,pca9548", at: span(0x70, 0x77)},
	{Name: "HT16K33", What: "LED matrix", Linux: "ht16k33", at: span(0x70, 0x77)},
	{Name: "MCP4725", What: "analog output", Linux: "mcp4725", at: span(0x60, 0x67)},
	{Name: "MPR121", What: "touch keys", at: span(0x5a, 0x5d)},
	{Name: "MAX30102", What: "pulse", Linux: "max30102", Overlay: "i2c-sensor,max30102", at: list(0x57)},
	{Name: "Sense HAT", What: "LEDs and joystick", at: list(0x46)},
	{Name: "EEPROM or FRAM", What: "memory, on the bus of an HDMI socket that of a monitor", at: span(0x50, 0x57)},
}

func list(addresses ...uint16) []uint16 { return addresses }

// span lists the addresses from first to last.
func span(first, last uint16) (all []uint16) {
	for a := first; a <= last; a++ {
		all = append(all, a)
	}
	return all
}

// first puts an address before others.
func first(address uint16, others []uint16) []uint16 {
	return append([]uint16{address}, others...)
}
