# The boot script of both slots, the same on a Pi (mmc) and in QEMU (virtio).
#
# Its state is a raw U-Boot environment of 16 KiB with a checksum, 1 MiB from the start of the disk: RAUC writes it with
# libubootenv, this script reads and writes it itself, so it does not matter where the U-Boot at hand would keep its own.
# A state that was torn by a power cut fails its checksum and counts as "A B, three tries each".
echo "offhook: boot from ${devtype} ${devnum}"
if test "${devtype}" = "mmc"; then
  # A kernel of 50 MB at the Pi's default address would reach into where the rest is loaded.
  setenv kernel_addr_r 0x04000000
  setenv ramdisk_addr_r 0x0c000000
  # /dev/console is the last one: what the box says while it starts goes to the serial line, HDMI has offhook-screen.
  setenv console_args "console=tty1 console=ttyAMA0,115200 console=ttyS1,115200"
else
  setenv console_args "console=ttyAMA0"
fi
setenv state_addr ${ramdisk_addr_r}
setenv BOOT_ORDER
setenv BOOT_A_LEFT
setenv BOOT_B_LEFT
${devtype} dev ${devnum}
if ${devtype} read ${state_addr} 0x800 0x20; then
  env import -c ${state_addr} 0x4000 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT || echo "offhook: boot state invalid, starting afresh"
fi
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3
setenv slot
for s in ${BOOT_ORDER}; do
  if test -z "${slot}"; then
    if test "${s}" = "A"; then
      if itest ${BOOT_A_LEFT} -gt 0; then setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1; setenv slot A; fi
    elif test "${s}" = "B"; then
      if itest ${BOOT_B_LEFT} -gt 0; then setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1; setenv slot B; fi
    fi
  fi
done
if test -z "${slot}"; then
  # No slot has tries left: never lock the box, begin again with the first of the order.
  echo "offhook: no slot has a try left, starting afresh"
  setenv BOOT_A_LEFT 2
  setenv BOOT_B_LEFT 3
  setenv slot A
  if test "${BOOT_ORDER}" = "B A"; then
    setenv BOOT_A_LEFT 3
    setenv BOOT_B_LEFT 2
    setenv slot B
  fi
  if test "${BOOT_ORDER}" = "B"; then
    setenv slot B
  fi
fi
setenv part 2
if test "${slot}" = "B"; then setenv part 3; fi
env export -c -s 0x4000 ${state_addr} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
${devtype} write ${state_addr} 0x800 0x20
echo "offhook: booting slot ${slot} (order ${BOOT_ORDER}, left A ${BOOT_A_LEFT}, B ${BOOT_B_LEFT})"
setenv extra_args
setenv early_watchdog
if test -e ${devtype} ${devnum}:1 extra.env; then
  load ${devtype} ${devnum}:1 ${state_addr} extra.env
  env import -t ${state_addr} ${filesize} extra_args early_watchdog
fi
# The Pi's watchdog from here on, 15 s at a time, until the kernel's driver in the initramfs takes it over; this U-Boot has
# no driver of its own for it. Only for who asks for it, until somebody has seen it on each board (docs/not-proved-here.md):
# a board that starts more slowly than that would never come up.
setenv feed true
if test "${devtype}" = "mmc" && test "${early_watchdog}" = "1"; then
  setenv pm 0x3f1000
  setexpr soc ${board_revision} \& 0xf000
  if test "${soc}" = "3000"; then setenv pm 0xfe1000; fi
  echo "offhook: watchdog at ${pm}00"
  setenv feed 'mw.l ${pm}24 0x5a0f0000; setexpr.l pm_rstc *${pm}1c; setexpr pm_rstc ${pm_rstc} \& 0xffcf; setexpr pm_rstc ${pm_rstc} \| 0x5a000020; mw.l ${pm}1c 0x${pm_rstc}'
fi
run feed
setenv bootargs "root=PARTUUID=0ff00c01-0${part} ro rauc.slot=${slot} panic=10 quiet ${console_args} ${extra_args}"
if load ${devtype} ${devnum}:${part} ${kernel_addr_r} /boot/vmlinuz; then
  run feed
  if load ${devtype} ${devnum}:${part} ${ramdisk_addr_r} /boot/initrd.img; then
    # On a Pi this is the tree that the firmware made for this board.
    booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}
  fi
fi
echo "offhook: slot ${slot} does not boot, restarting"
reset
