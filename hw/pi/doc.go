// Package pi is the real board: [hw.Board] over the interfaces of the Linux
// kernel, on a Raspberry Pi or any other Linux machine.
//
//   - Digital inputs: GPIO character devices through periph's gpioioctl, chosen
//     by line name and chip label. Chip numbers mean nothing: the header of a
//     Pi 5 has been gpiochip4, gpiochip0 and gpiochip11 in different kernels.
//   - I²C: /dev/i2c-N through periph's sysfs package.
//   - Video: V4L2 capture devices through blackjack/webcam.
//   - Screens: /dev/fbN by ioctl and mmap (linux/fb.h), with the console's text
//     and cursor taken away while the screen is open.
//
// All of it works as an ordinary user in the groups gpio, i2c and video; every
// refusal names the group that is missing. Parts may appear, vanish and come
// back at any time: each Open looks at the machine as it is then.
//
// On other systems [Open] fails and says so.
package pi
