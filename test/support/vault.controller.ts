import { Controller, Get, UseGuards } from '@nestjs/common';
import { DeviceBoundClaim, RequireClaims, SessionGuard } from 'nest-sessions';

/** A route for sessions that are bound to their device. */
@Controller('vault')
export class VaultController {
  @Get()
  @UseGuards(SessionGuard)
  @RequireClaims(DeviceBoundClaim.validators.isBound())
  open(): object {
    return { open: true };
  }
}
