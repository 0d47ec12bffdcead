// Package pi is the real board: [hw.Board] over the interfaces of the Linux
// kernel, on a Raspberry Pi or any other Linux machine.
//
//   - Digital inputs: GPIO character devices through periph's gpioioctl, chosen
//     by line name and chip label. Chip numbers mean nothing: the header of a
//     Pi 5 has been gpiochip4, gpiochip0 and gpiochip11 in different kernels.
//   - Digital outputs: lines of the same devices, requested by our own code, each
//     with its first value.
//   - I²C: /dev/i2c-N through periph's sysfs package.
//   - Video: V4L2 capture devices through blackjack/webcam.
//   - Screens: /dev/fbN by ioctl and mmap (linux/fb.h), with the console's text
//     and cursor taken away while the screen is open.
//
// All of it works as an ordinary user in the groups gpio, i2c and video; every
// refusal names the group that is missing. Parts may appear, vanish and come
// back at any time: each Open looks at the machine as it is then.
//
// # What becomes of an output when its process ends
//
// The kernel gives the line back, by Close, at the end of the process and when it is
// killed. What the pin does then is its driver's matter, and no configuration of the
// request can say it:
//
//   - Kernels of Raspberry Pi OS leave the pin an output with its last level, until
//     another program requests it or the machine starts anew
//     (github.com/raspberrypi/linux/pull/6117). dtparam=strict_gpiod in config.txt, or
//     pinctrl_bcm2835.persist_gpio_outputs=n in cmdline.txt, changes that.
//   - Kernels of kernel.org make the pin an input; then its pull decides, and that of
//     the relay board. Since Linux 6.10 pinctrl_bcm2835.persist_gpio_outputs=y keeps
//     the level.
//   - Other chips (expanders, gpio-sim) have their own rules.
//
// So an output that must be off without its program has to be switched off before the
// end (after a kill, by the next start or by a program in ExecStopPost=), and a
// pull resistor has to hold it off while the machine boots.
//
// On other systems [Open] fails and says so.
package pi
