import { Controller, UseGuards } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { PublicAccess, RequireRoles, Session } from 'nest-sessions';
import { RpcSessionGuard } from 'nest-sessions/integrations';

@Controller()
@UseGuards(RpcSessionGuard)
export class OrderMessages {
  @MessagePattern('orders.list')
  list(@Session('userId') userId: string, @Payload() message: { page: number }): object {
    return { ordersOf: userId, page: message.page };
  }

  @MessagePattern('orders.delete')
  @RequireRoles('admin')
  remove(@Session('userId') userId: string): object {
    return { deletedBy: userId };
  }

  @MessagePattern('orders.prices')
  @PublicAccess()
  prices(): object {
    return { tea: 2 };
  }
}
