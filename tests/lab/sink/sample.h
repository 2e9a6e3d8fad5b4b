/* What the sink's XDP program shares with its loader, and the loader's file with the checker. */
#ifndef NOCTULE_LAB_SAMPLE_H
#define NOCTULE_LAB_SAMPLE_H

#define SINK_QUEUES_MAX 64u /* receive queues that are counted apart; the last one stands for all further ones too */
#define SAMPLE_FRAME_MAX 92u /* a SYN with the longest options */

/* A frame as it came; the file is an array of these, in the order of their arrival on each queue. */
struct sample {
    unsigned int length; /* bytes of the frame on the wire; the rest of those that don't fit is left out */
    unsigned char frame[SAMPLE_FRAME_MAX];
};

/* The program's counters: one a receive queue, and then these. */
enum sink_counter {
    SINK_ARP = SINK_QUEUES_MAX, /* left to the kernel, which answers for its own address */
    SINK_OTHER,                 /* dropped, whatever it was */
    SINK_COUNTERS
};

#endif
