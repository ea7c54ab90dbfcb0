/* A USB cable for vpcd's virtual reader, loaded into pcscd twice: as the driver of a USB reader, and before libudev.
 *
 * As the driver it is vpcd's, found in the library that this one is linked to, as long as the reader is plugged in.
 * Without it, it says what drivers of USB readers say when their device has gone, of a command that is under way, too:
 * that one ends with the card's connection, and an answer that had come by then is lost.
 *
 * Before libudev it tells pcscd of one USB reader that comes and goes: each octet in the pipe EVENTS is an event, '+' or
 * '-'. What pcscd does then, to its list of readers and to its clients, is all its own.
 *
 * Given when this is compiled: UNPLUGGED (the file that is there while the reader is not), EVENTS, VENDOR, PRODUCT
 * (hexadecimal digits, as in the driver's Info.plist), DEVICE (what vpcd is told). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <ifdhandler.h>

#define VPCD(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static int is_unplugged(void)
{
    return access(UNPLUGGED, F_OK) == 0;
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR name)
{
    char device[] = DEVICE;
    (void)name;
    return is_unplugged() ? IFD_NO_SUCH_DEVICE : VPCD(IFDHCreateChannelByName)(lun, device);
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
    return is_unplugged() ? IFD_NO_SUCH_DEVICE : VPCD(IFDHICCPresence)(lun);
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD atr_length)
{
    return is_unplugged() ? IFD_NO_SUCH_DEVICE : VPCD(IFDHPowerICC)(lun, action, atr, atr_length);
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send, PUCHAR command, DWORD command_length, PUCHAR answer,
                               PDWORD answer_length, PSCARD_IO_HEADER receive)
{
    RESPONSECODE result = IFD_NO_SUCH_DEVICE;
    if (!is_unplugged()) {
        result = VPCD(IFDHTransmitToICC)(lun, send, command, command_length, answer, answer_length, receive);
    }
    if (is_unplugged()) {
        *answer_length = 0;
        result = IFD_NO_SUCH_DEVICE;
    }
    return result;
}

struct udev_device { const char *action; };
struct udev_monitor;
struct udev_enumerate;
struct udev_list_entry;

static struct udev_device interface_added = {"add"}, interface_removed = {"remove"}, whole_device = {NULL};

/* The devices of the machine itself are not for this pcscd. */
struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *enumerate)
{
    (void)enumerate;
    return NULL;
}

int udev_monitor_get_fd(struct udev_monitor *monitor)
{
    /* Open for writing, too, so that the pipe does not end with its first writer. */
    static int events = -1;
    (void)monitor;
    if (events < 0) {
        events = open(EVENTS, O_RDWR | O_CLOEXEC);
    }
    return events;
}

struct udev_device *udev_monitor_receive_device(struct udev_monitor *monitor)
{
    char event = 0;
    if (read(udev_monitor_get_fd(monitor), &event, 1) != 1) {
        return NULL;
    }
    return event == '+' ? &interface_added : event == '-' ? &interface_removed : NULL;
}

const char *udev_device_get_action(struct udev_device *device)
{
    return device->action;
}

struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *device, const char *subsystem,
                                                                  const char *devtype)
{
    (void)device;
    (void)subsystem;
    (void)devtype;
    return &whole_device;
}

const char *udev_device_get_devnode(struct udev_device *device)
{
    (void)device;
    return "/dev/bus/usb/001/002";
}

const char *udev_device_get_sysname(struct udev_device *device)
{
    (void)device;
    return "1-1:1.0";
}

const char *udev_device_get_sysattr_value(struct udev_device *device, const char *name)
{
    (void)device;
    return strcmp(name, "idVendor") == 0 ? VENDOR : strcmp(name, "idProduct") == 0 ? PRODUCT : NULL;
}

struct udev_device *udev_device_unref(struct udev_device *device)
{
    (void)device;
    return NULL;
}
