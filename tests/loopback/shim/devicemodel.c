/*
 * Loopback Xen: libxendevicemodel, which a PV machine opens and never uses
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <xendevicemodel.h>

#include "shim.h"

static char dummy;

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger,
                                           unsigned int open_flags)
{
    return (xendevicemodel_handle *)&dummy;
}

int xendevicemodel_close(xendevicemodel_handle *dmod)
{
    return 0;
}

#define NOT_HERE(name, ...)                                               \
    int name(xendevicemodel_handle *dmod, domid_t domid, __VA_ARGS__)     \
    {                                                                     \
        errno = ENOSYS;                                                   \
        return -1;                                                        \
    }

NOT_HERE(xendevicemodel_create_ioreq_server, int handle_bufioreq,
         ioservid_t *id)
NOT_HERE(xendevicemodel_get_ioreq_server_info, ioservid_t id,
         xen_pfn_t *ioreq_gfn, xen_pfn_t *bufioreq_gfn,
         evtchn_port_t *bufioreq_port)
NOT_HERE(xendevicemodel_map_io_range_to_ioreq_server, ioservid_t id,
         int is_mmio, uint64_t start, uint64_t end)
NOT_HERE(xendevicemodel_unmap_io_range_from_ioreq_server, ioservid_t id,
         int is_mmio, uint64_t start, uint64_t end)
NOT_HERE(xendevicemodel_map_pcidev_to_ioreq_server, ioservid_t id,
         uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
NOT_HERE(xendevicemodel_unmap_pcidev_from_ioreq_server, ioservid_t id,
         uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
NOT_HERE(xendevicemodel_destroy_ioreq_server, ioservid_t id)
NOT_HERE(xendevicemodel_set_ioreq_server_state, ioservid_t id, int enabled)
NOT_HERE(xendevicemodel_set_pci_intx_level, uint16_t segment, uint8_t bus,
         uint8_t device, uint8_t intx, unsigned int level)
NOT_HERE(xendevicemodel_set_isa_irq_level, uint8_t irq, unsigned int level)
NOT_HERE(xendevicemodel_set_irq_level, unsigned int irq, unsigned int level)
NOT_HERE(xendevicemodel_set_pci_link_route, uint8_t link, uint8_t irq)
NOT_HERE(xendevicemodel_inject_msi, uint64_t msi_addr, uint32_t msi_data)
NOT_HERE(xendevicemodel_track_dirty_vram, uint64_t first_pfn, uint32_t nr,
         unsigned long *dirty_bitmap)
NOT_HERE(xendevicemodel_modified_memory, uint64_t first_pfn, uint32_t nr)
NOT_HERE(xendevicemodel_set_mem_type, hvmmem_type_t mem_type,
         uint64_t first_pfn, uint32_t nr)
NOT_HERE(xendevicemodel_shutdown, unsigned int reason)
NOT_HERE(xendevicemodel_relocate_memory, uint32_t size, uint64_t src_gfn,
         uint64_t dst_gfn)
NOT_HERE(xendevicemodel_pin_memory_cacheattr, uint64_t start, uint64_t end,
         uint32_t type)
