/* The local disk's commonest operations, each as one run of system calls that Python is not asked about.

   `glance`, `grab` and `peek` answer on the event loop itself: from memory, or not at all. A `Port` takes
   whole writes and removals to threads of its own, which never hold the interpreter's lock, and tells
   an event loop by an eventfd when there are answers. Whatever is out of the ordinary is undone, left
   without effect and answered "not done": the caller then does it in Python, which knows all the rules.
   Linux only; without this module everything works, slower.

   openat2(2), renameat2(2), preadv2(2), sync_file_range(2). */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
/* One build serves every Python from 3.11 on, whichever made it. So no Py_RETURN_TRUE and its like: the
   headers of 3.12 and later count no references there, and 3.11 would free its own constants. */
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x08
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

enum { NO_MOUNTS = 0x01, NO_MAGIC_LINKS = 0x02, NO_LINKS = 0x04, BENEATH = 0x08, CACHED = 0x20 };
enum { SWAP = 1, SYNC = 2, ORDERED = 4, NEW = 8 };
enum { TRIES = 100, FEW = 2, MANY = 16, PATIENCE = 1000000, BLOCK = 4096 };
enum { NOT_DONE = 0, DONE = 1, ABSENT = 2, DONE_UNSURE = 3 };

static const char ATTRIBUTE[] = "user.storeroom.attributes", ADDING[] = "user.storeroom.adding";

struct how {
    uint64_t flags, mode, resolve;
};

static int open_beneath(int root, const char *path, int flags, int resolve)
{
    struct how how = {(uint64_t)flags | O_CLOEXEC, 0, (uint64_t)(BENEATH | NO_LINKS | NO_MAGIC_LINKS | resolve)};
    int fd = -1;
    for (int tries = 0; tries < TRIES; tries++) {
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0 || (resolve & CACHED) || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd;
}

static int open_folder(int root, const char *folder)
{
    struct stat top;
    if (fstat(root, &top) < 0 || top.st_nlink == 0) {
        errno = ENOENT;
        return -1;
    }
    return open_beneath(root, *folder ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
}

/* ---- jobs: done by threads that know nothing of Python ---- */

typedef struct port port;

typedef struct job {
    struct job *next;
    bool (*work)(struct job *);
    port *home;
    PyObject *arguments; /* keeps alive all that the pointers below point into */
    PyObject *token;
    int root, mode, flags;
    const char *folder, *name, *temporary, *data, *kept;
    Py_ssize_t size, kept_size;
    int outcome, error;
    struct stat found;
} job;

static bool written(int fd, const char *data, Py_ssize_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, data, (size_t)size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        data += count;
        size -= count;
    }
    return true;
}

/* All that is done to the temporary file before it gets its name. */
static bool filled(job *j, int fd)
{
    struct timespec now[2];
    if (j->kept != NULL && fsetxattr(fd, ATTRIBUTE, j->kept, (size_t)j->kept_size, 0) < 0)
        return false;
    if (!written(fd, j->data, j->size))
        return false;
    clock_gettime(CLOCK_REALTIME, &now[0]); /* the kernel's own stamps are too coarse for an etag */
    now[1] = now[0];
    if (futimens(fd, now) < 0 || fstat(fd, &j->found) < 0 || j->found.st_size != j->size)
        return false;
    if ((int)(j->found.st_mode & 07777) != j->mode && fchmod(fd, (mode_t)j->mode) < 0)
        return false;
    if (j->flags & ORDERED)
        return sync_file_range(fd, 0, 0,
                               SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0;
    return !(j->flags & SYNC) || fsync(fd) == 0;
}

/* The two change places and the old one goes, where that need not be durable: ext4 writes a file out
   when it is renamed over another (auto_da_alloc). */
static bool swapped(job *j, int folder)
{
    if (syscall(SYS_renameat2, folder, j->temporary, folder, j->name, RENAME_EXCHANGE) < 0)
        return false;
    if (unlinkat(folder, j->temporary, 0) < 0 && errno == EISDIR) {
        syscall(SYS_renameat2, folder, j->temporary, folder, j->name, RENAME_EXCHANGE);
        return false;
    }
    return true;
}

/* Shared with other writers; not while somebody excludes them. Some file systems have no locks. */
static bool locked(int folder)
{
    return flock(folder, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

static bool placed(job *j, int folder)
{
    struct stat there;
    if (j->flags & NEW)
        return syscall(SYS_renameat2, folder, j->temporary, folder, j->name, RENAME_NOREPLACE) == 0;
    if (!locked(folder))
        return false;
    bool is_there = fstatat(folder, j->name, &there, AT_SYMLINK_NOFOLLOW) == 0, done = false;
    if (is_there ? S_ISREG(there.st_mode) : errno == ENOENT) {
        done = is_there && (j->flags & SWAP) && swapped(j, folder);
        if (!done && (!is_there || !(j->flags & SWAP) || errno == EINVAL || errno == ENOENT))
            done = renameat(folder, j->temporary, folder, j->name) == 0;
    }
    flock(folder, LOCK_UN);
    return done;
}

static bool put(job *j)
{
    int folder = open_folder(j->root, j->folder);
    if (folder < 0)
        return false;
    int fd = openat(folder, j->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)j->mode);
    if (fd >= 0) {
        j->outcome = filled(j, fd) && placed(j, folder) ? DONE : NOT_DONE;
        if (j->outcome != DONE)
            unlinkat(folder, j->temporary, 0);
        else if ((j->flags & (SYNC | ORDERED)) && fsync(j->flags & ORDERED ? fd : folder) < 0) {
            j->error = errno;
            j->outcome = DONE_UNSURE;
        }
        close(fd);
    }
    close(folder);
    return true;
}

static bool drop(job *j)
{
    struct stat there;
    int folder = open_folder(j->root, j->folder);
    if (folder < 0)
        return false;
    if (locked(folder)) {
        if (fstatat(folder, j->name, &there, AT_SYMLINK_NOFOLLOW) < 0)
            j->outcome = errno == ENOENT ? ABSENT : NOT_DONE;
        else if (S_ISREG(there.st_mode) && unlinkat(folder, j->name, 0) == 0)
            j->outcome = DONE;
        flock(folder, LOCK_UN);
    }
    if (j->outcome == DONE && (j->flags & SYNC) && fsync(folder) < 0) {
        j->error = errno;
        j->outcome = DONE_UNSURE;
    }
    close(folder);
    return true;
}

/* ---- the threads ---- */

struct port {
    PyObject_HEAD
    int fd;
    bool told;
    job *first, *last; /* done, and not collected yet */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t bed, watch;
    job *first, *last;
    int awake, asleep, signalled;
    unsigned long begun;
    bool has_watch, watched;
} crew = {.lock = PTHREAD_MUTEX_INITIALIZER, .bed = PTHREAD_COND_INITIALIZER, .watch = PTHREAD_COND_INITIALIZER};

static void append(job **first, job **last, job *j)
{
    j->next = NULL;
    *(*first ? &(*last)->next : first) = j;
    *last = j;
}

static job *taken(void)
{
    job *j = crew.first;
    crew.first = j->next;
    crew.begun++;
    return j;
}

static void landed(job *j)
{
    port *home = j->home;
    append(&home->first, &home->last, j);
    if (!home->told) {
        uint64_t one = 1;
        home->told = true;
        while (write(home->fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
    }
}

static void *working(void *nothing)
{
    (void)nothing;
    pthread_mutex_lock(&crew.lock);
    for (;;) {
        while (crew.first == NULL) {
            crew.awake--;
            crew.asleep++;
            while (crew.signalled == 0)
                pthread_cond_wait(&crew.bed, &crew.lock);
            crew.signalled--;
            crew.asleep--;
        }
        job *j = taken();
        pthread_mutex_unlock(&crew.lock);
        j->work(j);
        pthread_mutex_lock(&crew.lock);
        landed(j);
    }
    return NULL;
}

/* One more thread at work, counted as awake from now on. */
static bool woken(void *(*work)(void *))
{
    if (work == working && crew.asleep > crew.signalled) {
        crew.signalled++;
        crew.awake++;
        pthread_cond_signal(&crew.bed);
        return true;
    }
    pthread_t thread;
    pthread_attr_t how;
    sigset_t all, before;
    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&how, 256 * 1024);
    sigfillset(&all); /* signals are for Python's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&thread, &how, work, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    crew.awake += made && work == working;
    return made;
}

/* While jobs wait and none is begun for a millisecond, the threads are stuck at a slow disk: more help. */
static void *watching(void *nothing)
{
    (void)nothing;
    pthread_mutex_lock(&crew.lock);
    for (;;) {
        unsigned long begun = crew.begun;
        struct timespec until;
        if (crew.first == NULL) {
            crew.watched = false;
            pthread_cond_wait(&crew.watch, &crew.lock);
            continue;
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PATIENCE;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&crew.watch, &crew.lock, &until);
        if (crew.first != NULL && crew.begun == begun && crew.awake < MANY)
            woken(working);
    }
    return NULL;
}

/* More threads for what waits at the disk than for what only copies. */
static bool queued(job *j)
{
    int limit = j->flags & (SYNC | ORDERED) ? MANY : FEW;
    pthread_mutex_lock(&crew.lock);
    bool has_hand = crew.awake < limit && woken(working);
    bool is_taken = crew.awake > 0;
    if (is_taken)
        append(&crew.first, &crew.last, j);
    if (is_taken && !has_hand && !crew.watched) {
        crew.watched = crew.has_watch || woken(watching);
        crew.has_watch = crew.watched;
        pthread_cond_signal(&crew.watch);
    }
    pthread_mutex_unlock(&crew.lock);
    return is_taken;
}

/* ---- Python ---- */

static PyTypeObject *Found;

static PyStructSequence_Field found_fields[] = {
    {"st_ino", NULL}, {"st_mode", NULL}, {"st_size", NULL}, {"st_mtime_ns", NULL}, {NULL, NULL}};
static PyStructSequence_Desc found_words = {"storeroom.drivers._local._native.Found",
                                            "What the system says of a file.", found_fields, 4};

static PyObject *found_of(const struct stat *s)
{
    PyObject *found = PyStructSequence_New(Found);
    if (found == NULL)
        return NULL;
    PyStructSequence_SetItem(found, 0, PyLong_FromUnsignedLongLong(s->st_ino));
    PyStructSequence_SetItem(found, 1, PyLong_FromLong((long)s->st_mode));
    PyStructSequence_SetItem(found, 2, PyLong_FromLongLong(s->st_size));
    PyStructSequence_SetItem(found, 3, PyLong_FromLongLong((long long)s->st_mtim.tv_sec * 1000000000 + s->st_mtim.tv_nsec));
    if (PyErr_Occurred())
        Py_CLEAR(found);
    return found;
}

static PyObject *port_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    (void)args, (void)named;
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    port *self = (port *)make(type, 0);
    if (self == NULL)
        return NULL;
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0) {
        Py_DECREF(self);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}

static void port_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (((port *)object)->fd >= 0)
        close(((port *)object)->fd);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *port_fileno(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return PyLong_FromLong(((port *)self)->fd);
}

static void dropped(job *j)
{
    Py_DECREF(j->arguments);
    Py_DECREF((PyObject *)j->home);
    PyMem_Free(j);
}

static PyObject *sent(port *home, PyObject *arguments, job given)
{
    job *j = PyMem_Malloc(sizeof *j);
    if (j == NULL)
        return PyErr_NoMemory();
    *j = given;
    j->home = home;
    j->arguments = Py_NewRef(arguments);
    Py_INCREF((PyObject *)home);
    if (queued(j))
        return PyBool_FromLong(1);
    dropped(j);
    return PyBool_FromLong(0);
}

static PyObject *port_put(PyObject *self, PyObject *args)
{
    job j = {.work = put};
    PyObject *keep, *data, *kept;
    if (!PyArg_ParseTuple(args, "OOisssSOii", &j.token, &keep, &j.root, &j.folder, &j.name, &j.temporary, &data, &kept,
                          &j.mode, &j.flags))
        return NULL;
    j.data = PyBytes_AsString(data);
    j.size = PyBytes_Size(data);
    if (kept != Py_None) {
        j.kept = PyBytes_AsString(kept);
        j.kept_size = PyBytes_Size(kept);
        if (j.kept == NULL)
            return NULL;
    }
    return sent((port *)self, args, j);
}

static PyObject *port_drop(PyObject *self, PyObject *args)
{
    job j = {.work = drop};
    PyObject *keep;
    if (!PyArg_ParseTuple(args, "OOissi", &j.token, &keep, &j.root, &j.folder, &j.name, &j.flags))
        return NULL;
    return sent((port *)self, args, j);
}

static PyObject *port_withdraw(PyObject *self, PyObject *token)
{
    (void)self;
    job *before = NULL, *j;
    pthread_mutex_lock(&crew.lock);
    for (j = crew.first; j != NULL && j->token != token; j = j->next)
        before = j;
    if (j != NULL) {
        *(before ? &before->next : &crew.first) = j->next;
        if (crew.last == j)
            crew.last = before;
    }
    pthread_mutex_unlock(&crew.lock);
    if (j == NULL)
        return PyBool_FromLong(0);
    dropped(j);
    return PyBool_FromLong(1);
}

static PyObject *answer_of(const job *j)
{
    if (j->outcome == NOT_DONE)
        return Py_NewRef(Py_None);
    if (j->outcome == DONE_UNSURE)
        return PyLong_FromLong(j->error);
    return j->work == put ? found_of(&j->found) : PyBool_FromLong(j->outcome == DONE);
}

static PyObject *port_collect(PyObject *object, PyObject *nothing)
{
    (void)nothing;
    port *self = (port *)object;
    uint64_t count;
    PyObject *answers = PyList_New(0);
    if (answers == NULL)
        return NULL;
    while (read(self->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&crew.lock);
    job *j = self->first;
    self->first = NULL;
    self->told = false;
    pthread_mutex_unlock(&crew.lock);
    while (j != NULL) {
        job *next = j->next;
        PyObject *answer = answer_of(j);
        PyObject *pair = answer == NULL ? NULL : PyTuple_Pack(2, j->token, answer);
        if (pair == NULL || PyList_Append(answers, pair) < 0)
            PyErr_WriteUnraisable(object);
        Py_XDECREF(pair);
        Py_XDECREF(answer);
        dropped(j);
        j = next;
    }
    return answers;
}

/* Errors that mean "never ask here again" are raised; others mean that asking may wait. */
static PyObject *waits(void)
{
    if (errno == EINVAL || errno == ENOSYS || errno == EPERM || errno == EOPNOTSUPP)
        return PyErr_SetFromErrno(PyExc_OSError);
    return Py_NewRef(Py_None);
}

/* A regular file, opened without waiting. It is looked at by name only before it is opened, for a FIFO
   or device would notice that. */
static int opened(int root, const char *path, struct stat *found)
{
    int name = open_beneath(root, path, O_PATH | O_NOFOLLOW, CACHED | NO_MOUNTS);
    if (name < 0)
        return -1;
    int error = EAGAIN, fd = -1;
    /* Attributes in blocks of their own may have to be read from the disk. */
    if (fstat(name, found) == 0 && S_ISREG(found->st_mode) && found->st_blocks * 512 - found->st_size < BLOCK) {
        ino_t same = found->st_ino;
        fd = open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, CACHED | NO_MOUNTS);
        if (fd >= 0 && (fstat(fd, found) < 0 || found->st_ino != same)) {
            close(fd);
            fd = -1;
        }
    }
    close(name);
    errno = error;
    return fd;
}

/* What is kept beside a file: bytes, None where nothing is, NULL where that cannot be told, or where an
   append is under way or was killed. */
static PyObject *kept_of(int fd, off_t size)
{
    char kept[BLOCK];
    struct stat again;
    ssize_t count = flistxattr(fd, NULL, 0);
    if (count > 0 && (fgetxattr(fd, ADDING, NULL, 0) >= 0 || errno != ENODATA))
        return NULL;
    if (count < 0 || fstat(fd, &again) < 0 || again.st_size != size)
        return NULL;
    if (count == 0)
        return Py_NewRef(Py_None);
    count = fgetxattr(fd, ATTRIBUTE, kept, sizeof kept);
    if (count >= 0)
        return PyBytes_FromStringAndSize(kept, count);
    if (errno == ENODATA)
        return Py_NewRef(Py_None);
    return NULL;
}

static PyObject *cached(int fd, Py_ssize_t count, off_t start)
{
    PyObject *content = PyBytes_FromStringAndSize(NULL, count);
    if (content == NULL || count == 0)
        return content;
    struct iovec into = {PyBytes_AsString(content), (size_t)count};
    ssize_t got = preadv2(fd, &into, 1, start, RWF_NOWAIT);
    if (got == count)
        return content;
    int error = got < 0 ? errno : EAGAIN;
    Py_DECREF(content);
    errno = error;
    return NULL;
}

static PyObject *native_glance(PyObject *self, PyObject *args)
{
    (void)self;
    int root;
    const char *path;
    struct stat found;
    if (!PyArg_ParseTuple(args, "is", &root, &path))
        return NULL;
    int fd = opened(root, path, &found);
    if (fd < 0 && errno == ENOENT)
        return PyBool_FromLong(0);
    if (fd < 0)
        return waits();
    PyObject *beside = kept_of(fd, found.st_size);
    close(fd);
    if (beside != NULL)
        return Py_BuildValue("(NN)", found_of(&found), beside);
    if (PyErr_Occurred())
        return NULL;
    return Py_NewRef(Py_None);
}

static PyObject *native_grab(PyObject *self, PyObject *args)
{
    (void)self;
    int root;
    const char *path;
    long long start, stop, most;
    struct stat found;
    if (!PyArg_ParseTuple(args, "isLLL", &root, &path, &start, &stop, &most))
        return NULL;
    int fd = opened(root, path, &found);
    if (fd < 0 && errno == ENOENT)
        return PyBool_FromLong(0);
    if (fd < 0)
        return waits();
    if (stop < 0 || stop > found.st_size)
        stop = found.st_size;
    start = start < stop ? start : stop;
    PyObject *content = NULL, *beside = NULL;
    errno = EAGAIN;
    if (stop - start <= most)
        content = cached(fd, (Py_ssize_t)(stop - start), start);
    int error = errno;
    if (content != NULL)
        beside = kept_of(fd, found.st_size);
    close(fd);
    if (beside != NULL)
        return Py_BuildValue("(NNN)", found_of(&found), beside, content);
    Py_XDECREF(content);
    if (PyErr_Occurred())
        return NULL;
    errno = content == NULL ? error : EAGAIN;
    return waits();
}

static PyObject *native_peek(PyObject *self, PyObject *args)
{
    (void)self;
    int fd;
    long long count, start;
    if (!PyArg_ParseTuple(args, "iLL", &fd, &count, &start))
        return NULL;
    PyObject *content = cached(fd, (Py_ssize_t)count, start);
    if (content != NULL || PyErr_Occurred())
        return content;
    return waits();
}

static PyObject *native_look(PyObject *self, PyObject *args)
{
    (void)self;
    int folder;
    PyObject *names;
    if (!PyArg_ParseTuple(args, "iO", &folder, &names))
        return NULL;
    Py_ssize_t count = PyList_Size(names);
    if (count < 0)
        return NULL;
    struct stat *found = PyMem_Malloc((size_t)(count + 1) * sizeof *found);
    const char **paths = PyMem_Malloc((size_t)(count + 1) * sizeof *paths);
    PyObject *answers = found && paths ? PyList_New(count) : PyErr_NoMemory();
    for (Py_ssize_t at = 0; answers && at < count; at++) {
        paths[at] = PyUnicode_AsUTF8AndSize(PyList_GetItem(names, at), NULL);
        if (paths[at] == NULL)
            Py_CLEAR(answers);
    }
    if (answers) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < count; at++)
            if (fstatat(folder, paths[at], &found[at], AT_SYMLINK_NOFOLLOW) < 0)
                found[at].st_mode = 0;
        Py_END_ALLOW_THREADS
    }
    for (Py_ssize_t at = 0; answers && at < count; at++) {
        PyObject *one = found[at].st_mode ? found_of(&found[at]) : Py_NewRef(Py_None);
        if (one == NULL)
            Py_CLEAR(answers);
        else
            PyList_SetItem(answers, at, one);
    }
    PyMem_Free(found);
    PyMem_Free((void *)paths);
    return answers;
}

static PyObject *native_forget(PyObject *self, PyObject *nothing)
{
    (void)self, (void)nothing;
    memset(&crew, 0, sizeof crew);
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.bed, NULL);
    pthread_cond_init(&crew.watch, NULL);
    return Py_NewRef(Py_None);
}

static PyMethodDef port_methods[] = {
    {"put", port_put, METH_VARARGS, NULL},
    {"drop", port_drop, METH_VARARGS, NULL},
    {"withdraw", port_withdraw, METH_O, NULL},
    {"collect", port_collect, METH_NOARGS, NULL},
    {"fileno", port_fileno, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot port_slots[] = {
    {Py_tp_new, port_new}, {Py_tp_dealloc, port_dealloc}, {Py_tp_methods, port_methods}, {0, NULL}};
static PyType_Spec port_spec = {"storeroom.drivers._local._native.Port", sizeof(port), 0, Py_TPFLAGS_DEFAULT, port_slots};

static PyMethodDef methods[] = {
    {"glance", native_glance, METH_VARARGS, NULL},
    {"grab", native_grab, METH_VARARGS, NULL},
    {"peek", native_peek, METH_VARARGS, NULL},
    {"look", native_look, METH_VARARGS, NULL},
    {"forget", native_forget, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL)
        return NULL;
    Found = PyStructSequence_NewType(&found_words);
    PyObject *type = PyType_FromSpec(&port_spec);
    if (Found == NULL || type == NULL || PyModule_AddObjectRef(made, "Found", (PyObject *)Found) < 0 ||
        PyModule_AddObjectRef(made, "Port", type) < 0 || PyModule_AddIntMacro(made, SWAP) < 0 ||
        PyModule_AddIntMacro(made, SYNC) < 0 || PyModule_AddIntMacro(made, ORDERED) < 0 ||
        PyModule_AddIntMacro(made, NEW) < 0)
        Py_CLEAR(made);
    Py_XDECREF(type);
    return made;
}
