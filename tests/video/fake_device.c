/* Stands for a camera: loaded before libc (LD_PRELOAD), it answers the Video4Linux2 calls for the device that FAKE_DEVICE
   names with FAKE_FRAMES pictures of a bright disc that moves 2 px a frame, 10 a second; then the device is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 320, HEIGHT = 240, BYTES = WIDTH * HEIGHT * 2, STEP = (BYTES + 4095) / 4096 * 4096, BUFFERS = 8 };

static int device = -1, ring[64], head, tail, sent;
static unsigned char *memory;

static int opened(const char *path) {
  const char *fake = getenv("FAKE_DEVICE");
  if (!fake || !path || strcmp(path, fake)) return -1;
  device = memfd_create("camera", 0);
  if (ftruncate(device, BUFFERS * STEP)) return -1;
  memory = mmap(0, BUFFERS * STEP, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
  head = tail = sent = 0;
  return device;
}

#define OPEN(name)                                                   \
  int name(const char *path, int flags, ...) {                       \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    int mode = va_arg(rest, int), fake = opened(path);               \
    va_end(rest);                                                    \
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);   \
    return fake >= 0 ? fake : real(path, flags, mode);               \
  }
OPEN(open)
OPEN(open64)

static int refuse(int why) {
  errno = why;
  return -1;
}

static void draw(unsigned char *pixels) {
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) {
      int dx = x - (40 + 2 * sent), dy = y - 120;
      pixels[2 * (y * WIDTH + x)] = dx * dx + dy * dy < 64 ? 230 : 90;
      pixels[2 * (y * WIDTH + x) + 1] = x & 1 ? 150 : 118;
    }
}

static int next_picture(struct v4l2_buffer *buffer) {
  if (head == tail) return refuse(EAGAIN);
  if (sent >= atoi(getenv("FAKE_FRAMES"))) return refuse(ENODEV);
  usleep(100000);
  int index = ring[head++ % 64];
  draw(memory + index * STEP);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  buffer->index = index;
  buffer->bytesused = BYTES;
  buffer->length = STEP;
  buffer->sequence = sent++;
  buffer->timestamp.tv_sec = now.tv_sec;
  buffer->timestamp.tv_usec = now.tv_nsec / 1000;
  buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  return 0;
}

int ioctl(int handle, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *told = va_arg(rest, void *);
  va_end(rest);
  if (device < 0 || handle != device) {
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return real(handle, request, told);
  }
  struct v4l2_buffer *buffer = told;
  switch (request & 0xffffffff) {
    case VIDIOC_QUERYCAP:
      ((struct v4l2_capability *)told)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
      return 0;
    case VIDIOC_G_INPUT: return *(int *)told = 0;
    case VIDIOC_ENUMINPUT: return ((struct v4l2_input *)told)->index ? refuse(EINVAL) : 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT: {
      struct v4l2_pix_format *pixels = &((struct v4l2_format *)told)->fmt.pix;
      pixels->width = WIDTH;
      pixels->height = HEIGHT;
      pixels->pixelformat = V4L2_PIX_FMT_YUYV;
      pixels->field = V4L2_FIELD_NONE;
      pixels->bytesperline = 2 * WIDTH;
      pixels->sizeimage = BYTES;
      return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
      struct v4l2_captureparm *rate = &((struct v4l2_streamparm *)told)->parm.capture;
      rate->capability = V4L2_CAP_TIMEPERFRAME;
      rate->timeperframe.numerator = 1;
      rate->timeperframe.denominator = 10;
      return 0;
    }
    case VIDIOC_REQBUFS: ((struct v4l2_requestbuffers *)told)->count = BUFFERS; return 0;
    case VIDIOC_QUERYBUF:
      buffer->length = STEP;
      buffer->m.offset = buffer->index * STEP;
      return 0;
    case VIDIOC_QBUF: ring[tail++ % 64] = buffer->index; return 0;
    case VIDIOC_DQBUF: return next_picture(buffer);
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF: return 0;
  }
  return refuse(ENOTTY);
}
